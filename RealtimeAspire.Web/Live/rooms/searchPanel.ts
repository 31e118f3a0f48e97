// Messages that have some words, the newest first, in this room or in all.

import { offsetOf } from "./body.js";
import { foundItem, note } from "./foundList.js";
import { markedText } from "./messageText.js";
import type { PageClient } from "../pageClient.js";
import { button, element } from "../parts.js";
import { roomPath, type Entry } from "./roomHistory.js";

/** Milliseconds without a key until what is written is looked for. */
const pause = 250;

interface Hit {
  readonly room: string;
  readonly message: Entry;
  readonly snippet: string;
  readonly marks: readonly { readonly begin: number; readonly length: number }[];
}

export function openSearch(body: HTMLElement, page: PageClient, topic: string, go: (room: string, offset: number) => void): void {
  const name = topic.slice(topic.indexOf(":") + 1);
  const input = element("input", "field");
  input.type = "search";
  input.placeholder = "Words, or \"words in quotes\"";
  input.ariaLabel = "Search messages";
  input.maxLength = 200;
  input.autocomplete = "off";
  input.enterKeyHint = "search";
  input.dataset["testid"] = "search";
  const everywhere = element("input");
  everywhere.type = "checkbox";
  everywhere.dataset["testid"] = "search-everywhere";
  const list = element("ol", "found-list");
  const said = note("");
  const more = button("button quiet", "more", "", "Show more");
  more.hidden = true;
  body.append(element("div", "panel-form", input, element("label", "tick", everywhere, " In all rooms")), said, list, more);

  let round = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next: string | null = null;

  const find = async (isMore: boolean) => {
    clearTimeout(timer);
    const query = input.value.trim();
    const mine = ++round;
    if (!isMore) {
      list.replaceChildren();
      next = null;
    }
    more.hidden = true;
    if (query === "") {
      said.textContent = "";
      return;
    }
    try {
      const ask = new URLSearchParams({ q: query, limit: "20", ...(next !== null && { before: next }) });
      const answer = await page.get<{ found: readonly Hit[]; next: string | null }>(`${everywhere.checked ? "" : roomPath(topic)}/search?${ask}`);
      if (mine !== round) return;
      next = answer.next;
      list.append(...answer.found.map(({ room, message, snippet, marks }) => foundItem(
        { offset: Number(message.id), author: message.author ?? "", at: Date.parse(message.at), content: markedText(snippet, marks), ...(room !== name && { room }) },
        () => go(room, offsetOf(message.id) ?? 0))));
      more.hidden = next === null;
      said.textContent = list.childElementCount === 0 ? "Nothing was found." : `${list.childElementCount}${next === null ? "" : "+"} found, the newest first`;
    } catch (error) {
      if (mine === round) said.textContent = (error as Error).message;
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void find(false), pause);
  });
  input.addEventListener("keydown", ({ key, isComposing }) => { if (key === "Enter" && !isComposing) void find(false); });
  everywhere.addEventListener("change", () => void find(false));
  more.addEventListener("click", () => void find(true));
  input.focus();
}

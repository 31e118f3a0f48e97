// What members have told the moderators of, the oldest first, and what has become of it.

import { ask } from "../dialog.js";
import { foundItem, note } from "./foundList.js";
import type { PageClient } from "../pageClient.js";
import { button, element } from "../parts.js";
import { readMessage, roomPath } from "./roomHistory.js";

interface Report {
  readonly id: number;
  readonly message: string;
  readonly reporter: string;
  readonly reason: string;
  readonly at: string;
}

export class ReportsPanel {
  readonly #page: PageClient;
  readonly #topic: string;
  readonly #go: (offset: number) => void;
  readonly #list = element("ol", "found-list");
  readonly #said = note("Loading…");

  constructor(body: HTMLElement, page: PageClient, topic: string, go: (offset: number) => void) {
    this.#page = page;
    this.#topic = topic;
    this.#go = go;
    body.append(this.#said, this.#list);
    void this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const { reports } = await this.#page.get<{ reports: readonly Report[] }>(`${roomPath(this.#topic)}/reports`);
      const items = await Promise.all(reports.map(report => this.#item(report)));
      this.#said.textContent = items.length === 0 ? "Nothing has been reported." : items.length === 1 ? "1 report to look at" : `${items.length} reports to look at`;
      this.#list.replaceChildren(...items);
    } catch (error) {
      this.#said.textContent = (error as Error).message;
    }
  }

  async #item({ id, message, reporter, reason, at }: Report): Promise<HTMLElement> {
    const offset = Number(message);
    const about = await readMessage(this.#page, this.#topic, offset).catch(() => undefined);
    const said = !about ? "A message that is not here any more" : about.deleted ? "The message was deleted" : about.text;
    const resolve = button("link", "resolve", `Resolve the report of ${reporter}`, "Resolve");
    resolve.addEventListener("click", () => ask({
      title: "Resolve this report", action: "Resolve",
      fields: [{ name: "resolution", label: "What was done", value: about?.deleted ? "Deleted" : "", required: true, most: 500 }],
      act: async ({ resolution }) => {
        await this.#page.ask("PUT", `${roomPath(this.#topic)}/reports/${id}/resolution`, { resolution });
        await this.refresh();
      },
    }));
    const item = foundItem(
      { offset, author: about?.author ?? "", at: about?.at ?? Date.parse(at), content: [document.createTextNode(said)], tools: [element("span", "found-reason", `${reporter}: ${reason}`), resolve] },
      () => this.#go(offset));
    item.dataset["testid"] = "report";
    return item;
  }
}

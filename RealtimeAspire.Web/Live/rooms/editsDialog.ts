// What a message said before it was edited, the newest first.

import { showList } from "./listDialog.js";
import { messageText } from "./messageText.js";
import type { PageClient } from "../pageClient.js";
import { element } from "../parts.js";
import { roomPath } from "./roomHistory.js";

/** As many as the server tells: the first ones. */
const most = 100;
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

interface Edit {
  readonly text: string;
  readonly until: string;
}

/** @param back where the focus goes when what had it has been drawn again meanwhile */
export function showEdits(page: PageClient, topic: string, offset: number, back: () => HTMLElement | null): void {
  showList("edits", "What it said before", async () => {
    const { edits } = await page.get<{ edits: readonly Edit[] }>(`${roomPath(topic)}/messages/${offset}/edits`);
    return {
      items: edits.toReversed().map(item),
      said: edits.length === 0 ? "Nothing is kept of what it said before." : edits.length < most ? "" : `The first ${most} of what it said are kept.`,
    };
  }, back);
}

function item({ text, until }: Edit): HTMLElement {
  const time = element("time", "", moment.format(Date.parse(until)));
  time.dateTime = until;
  const made = element("li", "edit", element("p", "edit-until", "Until ", time), element("div", "bubble", ...messageText(text)));
  made.dataset["testid"] = "edit";
  return made;
}

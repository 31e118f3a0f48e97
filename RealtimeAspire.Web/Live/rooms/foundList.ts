// Messages of the room, listed in a panel: each leads to its place.

import { avatar } from "../avatar.js";
import { button, element } from "../parts.js";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export interface Found {
  readonly offset: number;
  readonly author: string;
  readonly at: number;
  readonly content: readonly Node[];
  /** Where it is, if it may be somewhere else. */
  readonly room?: string;
  readonly tools?: readonly HTMLElement[];
}

export function foundItem({ offset, author, at, content, room, tools = [] }: Found, go: () => void): HTMLElement {
  const time = element("time", "", moment.format(at));
  time.dateTime = new Date(at).toISOString();
  const to = button("found", "jump", "", avatar(author),
    element("span", "found-head", element("b", "", author), " ", time, ...(room === undefined ? [] : [element("small", "found-room", `#${room}`)])),
    element("span", "found-text", ...content));
  to.dataset["offset"] = `${offset}`;
  to.dataset["testid"] = "found";
  to.addEventListener("click", go);
  return element("li", "found-item", to, ...(tools.length > 0 ? [element("span", "found-tools", ...tools)] : []));
}

export function note(text: string): HTMLElement {
  const line = element("p", "panel-note", text);
  line.role = "status";
  return line;
}

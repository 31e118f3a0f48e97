// What is told to this user alone in a room: what became of a command, and what a bot answers him. It stays until he has read it.

import { messageText } from "./messageText.js";
import { button, element } from "../parts.js";

/** The newest of them; a long answer scrolls. */
const most = 3;

export interface Aside {
  /** Who says it; null: the room itself. */
  readonly from: string | null;
  readonly text: string;
}

export function showAside(list: HTMLElement, { from, text }: Aside, left: () => void): void {
  const dismiss = button("icon-button", "dismiss", "I have read it", "×");
  const item = element("li", "aside",
    element("div", "aside-text", element("p", "aside-from", from === null ? "To you alone" : element("b", "", from), from === null ? "" : " to you alone"), ...messageText(text)), dismiss);
  item.dataset["testid"] = "aside";
  dismiss.addEventListener("click", () => {
    item.remove();
    left();
  });
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild!.remove();
}

// The one toolbar of a list, at the message that is pointed at, tapped or reached by keyboard. One stop for the Tab key; arrow keys go
// through it.

import { moveFocus, openMenu, type MenuItem } from "../menu.js";
import { button, element, icon } from "../parts.js";

/** What is offered at once; a reaction that is there can be joined, whatever it is. */
const quick = ["👍", "❤️", "😂"];
const more = ["👍", "👎", "❤️", "😂", "😮", "😢", "🎉", "🙏", "🔥", "👀", "✅", "❌", "💯", "🤔", "👏", "🚀", "☕", "😍", "😅", "🙌", "💪", "👋", "⭐", "❓"];

/** What may be done to a message. */
export interface Offered {
  readonly offset: number;
  readonly author: string;
  readonly mine: boolean;
  /** In the room itself: one in a thread begins none. */
  readonly thread: boolean;
  readonly menu: readonly MenuItem[];
}

export class MessageTools {
  readonly element = element("div", "tools");
  readonly #choose: (action: string, data: DOMStringMap) => void;
  #offered: Offered | undefined;

  constructor(choose: (action: string, data: DOMStringMap) => void) {
    this.#choose = choose;
    this.element.role = "toolbar";
    this.element.dataset["testid"] = "tools";
    this.element.addEventListener("keydown", event => this.#pressed(event));
    this.element.addEventListener("click", event => {
      const made = (event.target as Element).closest<HTMLButtonElement>("button");
      if (!made) return;
      event.stopPropagation();
      this.#act(made);
    });
  }

  /** Shows what can be done to a message. It is drawn only where that is something else than before. */
  offer(offered: Offered): void {
    const { offset, mine, author, thread } = offered;
    const was = this.#offered;
    this.#offered = offered;
    this.element.ariaLabel = `To the message of ${mine ? "yours" : author}`;
    if (was && was.mine === mine && was.thread === thread) {
      for (const { dataset } of this.element.querySelectorAll("button")) dataset["offset"] = `${offset}`;
      return;
    }
    const tools = [
      ...quick.map(emoji => tool("react", `React with ${emoji}`, emoji, emoji)),
      tool("more-reactions", "React with something else", icon("react")),
      tool("reply", "Reply to this message", icon("reply")),
      ...(thread ? [tool("thread", "Open its thread", icon("thread"))] : []),
      ...(mine ? [tool("edit", "Edit this message", icon("edit"))] : []),
      tool("more", "More to do with this message", icon("more")),
    ];
    for (const [index, one] of tools.entries()) {
      one.dataset["offset"] = `${offset}`;
      one.tabIndex = index === 0 ? 0 : -1;
    }
    this.element.replaceChildren(...tools);
  }

  focus(): void {
    this.element.querySelector<HTMLElement>("[tabindex='0']")?.focus({ preventScroll: true });
  }

  #act(made: HTMLButtonElement): void {
    const { action = "" } = made.dataset;
    const { offset } = this.#offered!;
    if (action === "more") openMenu(made, "More to do with this message", this.#offered!.menu);
    else if (action === "more-reactions") openMenu(made, "Reactions", more.map(emoji => ({ name: "react", label: emoji, says: `React with ${emoji}`, act: () => this.#choose("react", { offset: `${offset}`, emoji }) })), "grid");
    else this.#choose(action, made.dataset);
  }

  #pressed(event: KeyboardEvent): void {
    const buttons = [...this.element.querySelectorAll<HTMLElement>("button")];
    if (moveFocus(buttons, event, 1, true)) {
      for (const one of buttons) one.tabIndex = one === document.activeElement ? 0 : -1;
    } else if (event.key === "Escape") {
      this.element.closest<HTMLElement>("li")?.focus({ preventScroll: true });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

function tool(name: string, label: string, content: Node | string, emoji = ""): HTMLButtonElement {
  const made = button("tool", name, label, content);
  made.title = label;
  if (emoji !== "") made.dataset["emoji"] = emoji;
  return made;
}

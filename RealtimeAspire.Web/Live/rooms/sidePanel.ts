// What stands beside the conversation, one thing at a time: a thread, the pinned messages, what was found, who is here. On a phone it
// takes the whole screen. Escape closes it, and the focus goes back to where it came from.

import { part } from "../parts.js";

export type PanelName = "thread" | "pins" | "search" | "members" | "reports";

export class SidePanel {
  readonly #side: HTMLElement;
  readonly #title: HTMLElement;
  /** As it came: each thread has one of its own, where nothing is left of the one before. */
  readonly #blank: HTMLElement;
  #thread: HTMLElement;
  readonly #body: HTMLElement;
  #name: PanelName | undefined;
  #from: HTMLElement | undefined;
  #back: (() => HTMLElement | null) | undefined;
  #closed: (() => void) | undefined;

  constructor(root: HTMLElement) {
    this.#side = part(root, "side");
    this.#title = part(root, "side-title");
    this.#thread = part(root, "thread");
    this.#blank = this.#thread.cloneNode(true) as HTMLElement;
    this.#body = part(root, "side-body");
    part(root, "side-close").addEventListener("click", () => this.close());
    this.#side.addEventListener("keydown", event => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.close();
    });
  }

  /**
   * @param back where the focus goes when what had it has been drawn again meanwhile
   * @returns where it is drawn
   */
  open(name: PanelName, title: string, closed?: () => void, back?: () => HTMLElement | null): HTMLElement {
    this.#from ??= document.activeElement as HTMLElement;
    this.#back = back;
    this.#closed?.();
    this.#closed = closed;
    this.#name = name;
    this.#title.textContent = title;
    this.#side.hidden = false;
    this.#side.dataset["panel"] = name;
    if (name === "thread") {
      const thread = this.#blank.cloneNode(true) as HTMLElement;
      this.#thread.replaceWith(thread);
      this.#thread = thread;
    }
    this.#thread.hidden = name !== "thread";
    this.#body.hidden = name === "thread";
    this.#body.replaceChildren();
    return name === "thread" ? this.#thread : this.#body;
  }

  focusTitle(): void {
    this.#title.focus({ preventScroll: true });
  }

  close(back = true): void {
    if (!this.#name) return;
    this.#name = undefined;
    this.#side.hidden = true;
    this.#body.replaceChildren();
    const closed = this.#closed;
    this.#closed = undefined;
    closed?.();
    const to = this.#from?.isConnected ? this.#from : this.#back?.();
    this.#from = undefined;
    if (back) to?.focus({ preventScroll: true });
  }
}

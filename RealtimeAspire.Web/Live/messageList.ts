// Draws rows into the list and owns the scroll position: it follows the newest message while the reader is at the bottom
// and stands still while the reader is further up.

import { fill } from "./messageItem.js";
import { part } from "./parts.js";
import type { Row } from "./rows.js";

/** Closer to the bottom than this counts as reading along. */
const nearBottom = 48;

/** Closer to the top than this, in heights of the list, wants what is before. */
const nearTop = 1;

export interface MessageListEvents {
  retry(id: string): void;
  discard(id: string): void;
  /** The reader comes to the oldest that is here, or asks for what is before it. */
  older(): void;
  react(offset: number, emoji: string): void;
  edit(offset: number): void;
  remove(offset: number): void;
}

export class MessageList {
  readonly #scroller: HTMLElement;
  readonly #log: HTMLElement;
  readonly #list: HTMLElement;
  readonly #pill: HTMLButtonElement;
  readonly #pillText: HTMLElement;
  readonly #events: MessageListEvents;
  readonly #drawn = new Map<string, { element: HTMLElement; signature: string }>();
  readonly #resized: ResizeObserver;
  #atBottom = true;
  #unseen = 0;
  #started = false;

  constructor(root: HTMLElement, events: MessageListEvents) {
    this.#scroller = part(root, "scroller");
    this.#log = part(root, "log");
    this.#list = part(root, "list");
    this.#pill = part(root, "pill");
    this.#pillText = part(root, "pill-text");
    this.#events = events;

    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#pill.addEventListener("click", () => this.showNewest("smooth"));
    this.#list.addEventListener("click", event => this.#clicked(event));
    this.#resized = new ResizeObserver(() => { if (this.#atBottom) this.showNewest("instant"); });
    this.#resized.observe(this.#scroller);
    this.#resized.observe(this.#list);
  }

  get atBottom(): boolean {
    return this.#atBottom;
  }

  dispose(): void {
    this.#resized.disconnect();
  }

  /** Returns how many messages by others were not there before. */
  draw(rows: readonly Row[]): number {
    const anchor = this.#atBottom ? undefined : this.#firstVisible();
    const top = anchor?.getBoundingClientRect().top;

    const added = this.#reconcile(rows);

    if (this.#atBottom) {
      this.showNewest("instant");
    } else if (anchor?.isConnected && top !== undefined) {
      this.#scroller.scrollTop += anchor.getBoundingClientRect().top - top;
    }
    if (!this.#atBottom && added > 0) {
      this.#setUnseen(this.#unseen + added);
    }
    this.#started ||= rows.length > 0;
    return added;
  }

  /** From here on, what is drawn is news: it is animated, counted and read out. */
  settled(): void {
    this.#started = true;
    this.#log.ariaBusy = "false";
  }

  showNewest(behavior: "smooth" | "instant"): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const far = scrollHeight - scrollTop > 3 * clientHeight;
    const jump = calm || far || behavior === "instant";
    this.#scroller.scrollTo({ top: scrollHeight, behavior: jump ? "instant" : "smooth" });
    if (jump) {
      this.#atBottom = true;
      this.#setUnseen(0);
    }
  }

  #reconcile(rows: readonly Row[]): number {
    const keys = new Set(rows.map(row => row.key));
    for (const [key, { element }] of this.#drawn) {
      if (keys.has(key)) continue;
      element.remove();
      this.#drawn.delete(key);
    }

    let added = 0;
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      let drawn = this.#drawn.get(row.key);
      if (!drawn) {
        drawn = { element: document.createElement("li"), signature: "" };
        this.#drawn.set(row.key, drawn);
        if (this.#started) {
          drawn.element.classList.add("arriving");
          if (row.kind === "message" && !row.mine) added++;
        }
      }
      if (drawn.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(drawn.element, next);

      const signature = JSON.stringify(row);
      if (drawn.signature !== signature) {
        drawn.signature = signature;
        keepFocus(drawn.element, () => fill(drawn.element, row));
      }
    }
    return added;
  }

  #firstVisible(): Element | undefined {
    const { top } = this.#scroller.getBoundingClientRect();
    // Of messages, which stay when something comes before them.
    return Array.from(this.#list.children).find(child => child.classList.contains("message") && child.getBoundingClientRect().bottom > top);
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#atBottom = scrollHeight - scrollTop - clientHeight < nearBottom;
    if (this.#atBottom) this.#setUnseen(0);
    if (scrollTop < nearTop * clientHeight) this.#events.older();
  }

  #setUnseen(count: number): void {
    this.#unseen = count;
    this.#pill.hidden = count === 0;
    this.#pillText.textContent = count === 1 ? "1 new message" : `${count} new messages`;
  }

  #clicked({ target }: Event): void {
    const button = (target as Element).closest<HTMLButtonElement>("button[data-action]");
    this.#choose(button ? undefined : (target as Element).closest<HTMLElement>(".message"));
    if (!button) return;
    const { action, id = "", emoji = "", offset } = button.dataset;
    switch (action) {
      case "retry": return this.#events.retry(id);
      case "discard": return this.#events.discard(id);
      case "older": return this.#events.older();
      case "react": return this.#events.react(Number(offset), emoji);
      case "edit": return this.#events.edit(Number(offset));
      case "delete": return this.#events.remove(Number(offset));
    }
  }

  /** What is tapped shows what can be done to it, until something else is. */
  #choose(message: HTMLElement | null | undefined): void {
    for (const chosen of this.#list.querySelectorAll(".chosen")) {
      if (chosen !== message) chosen.classList.remove("chosen");
    }
    message?.classList.toggle("chosen");
  }
}

/** Whoever has just pressed a button in an item goes on from the one that takes its place. */
function keepFocus(item: HTMLElement, fill: () => void): void {
  const focused = item.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset : undefined;
  fill();
  if (!focused) return;
  const { action, emoji } = focused;
  const same = Array.from(item.querySelectorAll<HTMLButtonElement>("button[data-action]")).find(({ dataset }) => dataset["action"] === action && dataset["emoji"] === emoji);
  same?.focus({ preventScroll: true });
}

/** The local calendar day, for comparing. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}


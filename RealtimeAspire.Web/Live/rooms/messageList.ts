// Draws rows into the list and owns the scroll position: it follows the newest message while the reader is at the bottom and stands
// still while the reader is somewhere else. Arrow keys go from message to message; the list is one stop for the Tab key.

import { fill, type Surroundings } from "./messageItem.js";
import { MessageTools, type Offered } from "./messageTools.js";
import { element, part } from "../parts.js";
import type { Row } from "./rows.js";

/** Closer to the bottom than this counts as reading along. */
const nearBottom = 48;

/** Closer to an end than this, in heights of the list, wants what is behind it. */
const nearEnd = 1;

/** Milliseconds for which a message that was jumped to stands out. */
const markedFor = 2_500;

/** Milliseconds for which what comes is gathered before it is read out. */
const gathered = 1_000;

/** Of more than so many that come together only their number is read out, and of each so many characters. */
const readOut = { messages: 3, characters: 300 };

export interface MessageListEvents {
  retry(id: string): void;
  discard(id: string): void;
  /** The reader comes to the oldest that is here, or asks for what is before it. */
  older(): void;
  /** The same, of the newest. */
  newer(): void;
  /** Wants to be where the conversation is. */
  newest(): void;
  /** Is there. */
  read(): void;
  react(offset: number, emoji: string): void;
  reply(offset: number): void;
  thread(offset: number): void;
  edit(offset: number): void;
  remove(offset: number): void;
  jump(offset: number): void;
  file(offset: number, id: string): void;
  /** Wants to know what a message said before. */
  edits(offset: number): void;
  readers(offset: number): void;
  /** And who has written it. */
  person(offset: number): void;
  offered(offset: number): Offered | undefined;
  /** From the list back to where one writes. */
  leave(): void;
}

export class MessageList {
  readonly #scroller: HTMLElement;
  readonly #log: HTMLElement;
  readonly #list: HTMLElement;
  readonly #heard: HTMLElement;
  readonly #pill: HTMLButtonElement;
  readonly #pillText: HTMLElement;
  readonly #events: MessageListEvents;
  readonly #around: Surroundings;
  readonly #drawn = new Map<string, { element: HTMLElement; signature: string }>();
  readonly #resized: ResizeObserver;
  readonly #tools: MessageTools;
  /** The rows reach to the newest. */
  #isWhole = true;
  #atBottom = true;
  #unseen = 0;
  /** What has come and is not read out yet. */
  #coming: { readonly writer: string; readonly item: HTMLElement }[] = [];
  #telling: ReturnType<typeof setTimeout> | undefined;
  #started = false;
  /** What has the focus may be taken away and come again. */
  #isDrawing = false;
  #isMoving = false;
  /** What is read first, and how far below the list's upper end. */
  #place: { readonly element: Element; readonly top: number } | undefined;
  /** Where the toolbar was when a finger came down. */
  #toolsAt: Element | null = null;

  constructor(root: HTMLElement, events: MessageListEvents, around: Surroundings) {
    this.#scroller = part(root, "scroller");
    this.#log = part(root, "log");
    this.#list = part(root, "list");
    this.#heard = part(root, "heard");
    this.#pill = part(root, "pill");
    this.#pillText = part(root, "pill-text");
    this.#events = events;
    this.#around = around;
    this.#tools = new MessageTools((action, data) => this.#act(action, data));

    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#pill.addEventListener("click", () => this.#events.newest());
    this.#list.addEventListener("click", event => this.#clicked(event));
    this.#list.addEventListener("pointerdown", () => { this.#toolsAt = this.#tools.element.parentElement; });
    this.#list.addEventListener("pointerover", event => this.#pointed(event));
    this.#list.addEventListener("focusin", ({ target }) => this.#offer((target as Element).closest<HTMLElement>("li.message")));
    this.#list.addEventListener("focusout", ({ relatedTarget }) => this.#left(relatedTarget as Element | null));
    this.#list.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse") this.#left(document.activeElement); });
    this.#list.addEventListener("keydown", event => this.#pressed(event));
    this.#resized = new ResizeObserver(() => this.#keepPlace());
    this.#resized.observe(this.#scroller);
    this.#resized.observe(this.#list);
  }

  /** The reader reads along. */
  get atBottom(): boolean {
    return this.#atBottom;
  }

  dispose(): void {
    this.#resized.disconnect();
    clearTimeout(this.#telling);
  }

  /** Returns how many messages by others were not there before. `isWhole`: the rows reach to the newest. */
  draw(rows: readonly Row[], isWhole = true): number {
    // The newest, when they are come to, were there before.
    const goesOn = this.#isWhole && isWhole;
    this.#isWhole = isWhole;
    if (!isWhole) this.#atBottom = false;
    this.#remember();

    this.#isDrawing = true;
    const added = this.#reconcile(rows, goesOn);
    this.#isDrawing = false;

    this.#keepPlace();
    if (!this.#atBottom && added > 0) {
      this.#unseen += added;
    }
    if (added > 0) this.#telling ??= setTimeout(() => this.#tell(), gathered);
    this.#drawPill();
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
    if (jump && this.#isWhole) {
      this.#stand(true);
      this.#drawPill();
    }
  }

  /** Brings a message into the middle and has it stand out for a moment. False: it is not here. */
  show(offset: number, focus = true): boolean {
    const item = this.itemOf(offset);
    if (!item) return false;
    this.#atBottom = false;
    item.scrollIntoView({ block: "center", behavior: "instant" });
    this.#scrolled();
    item.classList.add("marked");
    setTimeout(() => item.classList.remove("marked"), markedFor);
    if (focus) this.#focus(item);
    return true;
  }

  #reconcile(rows: readonly Row[], goesOn: boolean): number {
    const keys = new Set(rows.map(row => row.key));
    for (const [key, { element }] of this.#drawn) {
      if (keys.has(key)) continue;
      element.remove();
      this.#drawn.delete(key);
    }

    let added = 0;
    let next = this.#list.firstElementChild;
    // What comes before or between others was there all the time.
    let newFrom = rows.length;
    while (newFrom > 0 && !this.#drawn.has(rows[newFrom - 1]!.key)) newFrom--;
    for (const [index, row] of rows.entries()) {
      let drawn = this.#drawn.get(row.key);
      if (!drawn) {
        drawn = { element: document.createElement("li"), signature: "" };
        this.#drawn.set(row.key, drawn);
        if (this.#started && goesOn && index >= newFrom) {
          drawn.element.classList.add("arriving");
          if (row.kind === "message" && !row.mine) {
            added++;
            this.#coming.push({ writer: row.name, item: drawn.element });
          }
        }
      }
      if (drawn.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(drawn.element, next);

      const signature = JSON.stringify(row);
      if (drawn.signature !== signature) {
        drawn.signature = signature;
        keepFocus(drawn.element, () => fill(drawn.element, row, this.#around));
      }
    }
    if (this.#tools.element.isConnected) this.#offer(this.#tools.element.closest<HTMLElement>("li.message"));
    this.#rove();
    return added;
  }

  /** To who does not see it. */
  #tell(): void {
    this.#telling = undefined;
    const coming = this.#coming.splice(0);
    const [first, ...others] = new Set(coming.map(({ writer }) => writer));
    const lines = coming.length > readOut.messages
      ? [`${coming.length} new messages${others.length === 0 ? ` from ${first}` : ""}`]
      : coming.map(({ writer, item }) => {
        const text = item.querySelector<HTMLElement>(".bubble:not(.deleted)")?.innerText ?? "";
        return text === "" ? `New message from ${writer}` : `${writer}: ${Array.from(text).slice(0, readOut.characters).join("")}`;
      });
    this.#heard.replaceChildren(...lines.map(line => element("p", "", line)));
  }

  itemOf(offset: number): HTMLElement | null {
    return this.#list.querySelector<HTMLElement>(`li.message[data-offset="${offset}"]`);
  }

  #remember(): void {
    const { top } = this.#scroller.getBoundingClientRect();
    // Of messages, which stay when something comes before them.
    const element = this.#atBottom ? undefined : Array.from(this.#list.children).find(child => child.classList.contains("message") && child.getBoundingClientRect().bottom > top);
    this.#place = element && { element, top: element.getBoundingClientRect().top - top };
  }

  /** Whatever has become of the list's size or of what is in it, what is read stays where it is. */
  #keepPlace(): void {
    if (this.#atBottom) this.showNewest("instant");
    else if (this.#place?.element.isConnected) this.#scroller.scrollTop += this.#place.element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top - this.#place.top;
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    this.#stand(this.#isWhole && below < nearBottom);
    this.#remember();
    this.#drawPill();
    if (scrollTop < nearEnd * clientHeight) this.#events.older();
    if (!this.#isWhole && below < nearEnd * clientHeight) this.#events.newer();
  }

  #stand(atBottom: boolean): void {
    const hasCome = atBottom && !this.#atBottom;
    this.#atBottom = atBottom;
    if (atBottom) this.#unseen = 0;
    if (hasCome) this.#events.read();
  }

  #drawPill(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#pill.hidden = this.#atBottom || (this.#unseen === 0 && this.#isWhole && scrollHeight - scrollTop < 2 * clientHeight);
    this.#pillText.textContent = this.#unseen === 0 ? "To the newest" : this.#unseen === 1 ? "1 new message" : `${this.#unseen} new messages`;
  }

  #clicked({ target }: Event): void {
    const made = (target as Element).closest<HTMLButtonElement>("button[data-action]");
    if (made) this.#act(made.dataset["action"]!, made.dataset, made);
    else if (!(target as Element).closest("a")) this.#tapped((target as Element).closest<HTMLElement>("li.message"));
  }

  #act(action: string, { id = "", emoji = "", offset, file = "" }: DOMStringMap, at?: Element): void {
    const of = Number(offset ?? at?.closest<HTMLElement>("li.message")?.dataset["offset"]);
    switch (action) {
      case "retry": return this.#events.retry(id);
      case "discard": return this.#events.discard(id);
      case "older": return this.#events.older();
      case "newer": return this.#events.newer();
      case "react": return this.#events.react(of, emoji);
      case "reply": return this.#events.reply(of);
      case "thread": return this.#events.thread(of);
      case "edit": return this.#events.edit(of);
      case "jump": return this.#events.jump(of);
      case "edits": return this.#events.edits(of);
      case "readers": return this.#events.readers(of);
      case "open-file": return this.#events.file(of, file);
    }
  }

  #pointed({ target, pointerType }: PointerEvent): void {
    const item = (target as Element).closest<HTMLElement>("li.message");
    // Who is on his way through the toolbar by keyboard keeps it.
    if (item && pointerType === "mouse" && !this.#tools.element.contains(document.activeElement)) this.#offer(item);
  }

  /** What can be done to a message is shown as long as somebody is at one, or in what its toolbar has opened. */
  #left(to: Element | null): void {
    // A window that is left comes back as it was.
    if (this.#isDrawing || this.#isMoving || !document.hasFocus()) return;
    if (to === null || (!this.#list.contains(to) && !to.closest(".menu, dialog") && !this.#list.matches(":hover"))) this.#moveTools(undefined);
  }

  /** Another tap takes the toolbar away again. */
  #tapped(item: HTMLElement | null): void {
    if (item !== null && item === this.#toolsAt && !matchMedia("(hover: hover)").matches) this.#moveTools(undefined);
    else this.#offer(item);
  }

  /** The toolbar goes to a message. */
  #offer(item: HTMLElement | null): void {
    const offset = item?.dataset["offset"];
    const offered = offset === undefined || item?.querySelector(".bubble.deleted") ? undefined : this.#events.offered(Number(offset));
    // A dialog that is closed gives the focus back to the toolbar, also of a message that it has deleted.
    const isLeft = item !== null && !offered && this.#tools.element.contains(document.activeElement);
    if (offered) this.#tools.offer(offered);
    this.#moveTools(item && offered ? item : undefined);
    if (isLeft) item.focus({ preventScroll: true });
  }

  /** To a message, or away. The focus that it may have is lost by that, which is no reason to take it away once more. */
  #moveTools(item: HTMLElement | undefined): void {
    const { element } = this.#tools;
    if (element.parentElement === (item ?? null)) return;
    this.#isMoving = true;
    if (item) item.append(element);
    else element.remove();
    this.#isMoving = false;
  }

  /** Of all messages one is reached by the Tab key: the one that had the focus, else the newest. */
  #rove(): void {
    const reached = this.#list.querySelectorAll<HTMLElement>("li.message[tabindex='0']");
    if (reached.length === 1 && document.activeElement !== null && this.#list.contains(document.activeElement)) return;
    for (const item of reached) item.tabIndex = -1;
    const last = Array.from(this.#list.querySelectorAll<HTMLElement>("li.message")).at(-1);
    if (last) last.tabIndex = 0;
  }

  #focus(item: HTMLElement): void {
    for (const other of this.#list.querySelectorAll<HTMLElement>("li.message[tabindex='0']")) other.tabIndex = -1;
    item.tabIndex = 0;
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  #pressed(event: KeyboardEvent): void {
    const item = event.target as HTMLElement;
    if (!item.matches("li.message") || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = Array.from(this.#list.querySelectorAll<HTMLElement>("li.message"));
    const at = items.indexOf(item);
    const offset = Number(item.dataset["offset"]);
    const to: Record<string, HTMLElement | undefined> = { ArrowUp: items[at - 1], ArrowDown: items[at + 1], Home: items[0], End: items.at(-1) };
    const does: Record<string, () => void> = {
      Enter: () => this.#tools.focus(), ArrowRight: () => this.#tools.focus(), Escape: () => this.#events.leave(),
      ...(item.dataset["offset"] !== undefined && !item.querySelector(".bubble.deleted") && {
        r: () => this.#events.reply(offset), t: () => this.#events.thread(offset), w: () => this.#events.person(offset),
        ...(item.classList.contains("mine") && { e: () => this.#events.edit(offset), Delete: () => this.#events.remove(offset) }),
      }),
    };
    if (event.key in to) {
      if (to[event.key]) this.#focus(to[event.key]!);
      else if (event.key === "ArrowDown") this.#events.leave();
    } else if (does[event.key]) {
      does[event.key]!();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Whoever has just pressed a button in an item goes on from the one that takes its place. */
function keepFocus(item: HTMLElement, fill: () => void): void {
  const focused = item.querySelector(".message-row")?.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset : undefined;
  fill();
  if (!focused) return;
  const { action, emoji } = focused;
  const same = Array.from(item.querySelectorAll<HTMLButtonElement>(".message-row button[data-action]")).find(({ dataset }) => dataset["action"] === action && dataset["emoji"] === emoji);
  (same ?? item).focus({ preventScroll: true });
}

/** The local calendar day, for comparing. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

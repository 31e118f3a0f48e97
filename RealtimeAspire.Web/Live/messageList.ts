// Draws rows into the list and owns the scroll position: it follows the newest message while the reader is at the bottom
// and stands still while the reader is further up.

import { avatar } from "./avatar.js";
import { messageText } from "./messageText.js";
import { element, part } from "./parts.js";
import type { MessageRow, Row } from "./rows.js";

/** Closer to the bottom than this counts as reading along. */
const nearBottom = 48;

export interface MessageListEvents {
  retry(id: string): void;
  discard(id: string): void;
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
        fill(drawn.element, row);
      }
    }
    return added;
  }

  #firstVisible(): Element | undefined {
    const { top } = this.#scroller.getBoundingClientRect();
    return Array.from(this.#list.children).find(child => child.getBoundingClientRect().bottom > top);
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#atBottom = scrollHeight - scrollTop - clientHeight < nearBottom;
    if (this.#atBottom) this.#setUnseen(0);
  }

  #setUnseen(count: number): void {
    this.#unseen = count;
    this.#pill.hidden = count === 0;
    this.#pillText.textContent = count === 1 ? "1 new message" : `${count} new messages`;
  }

  #clicked(event: Event): void {
    const button = (event.target as Element).closest<HTMLButtonElement>("button[data-action]");
    const id = button?.dataset["id"];
    if (!button || id === undefined) return;
    if (button.dataset["action"] === "retry") this.#events.retry(id);
    else this.#events.discard(id);
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const otherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

function fill(item: HTMLElement, row: Row): void {
  const arriving = item.classList.contains("arriving");
  switch (row.kind) {
    case "start":
      item.className = "start";
      item.textContent = row.complete ? "The beginning of this room" : "Earlier messages are kept, but not shown here";
      break;
    case "day":
      item.className = "day";
      item.replaceChildren(element("span", "", dayName(row.at)));
      break;
    case "notice":
      item.className = "notice";
      item.replaceChildren(element("span", "", row.text));
      break;
    case "message":
      fillMessage(item, row);
      break;
  }
  if (arriving) item.classList.add("arriving");
}

function fillMessage(item: HTMLElement, row: MessageRow): void {
  item.className = "message";
  item.classList.toggle("mine", row.mine);
  item.classList.toggle("first", row.first);
  item.classList.toggle("last", row.last);
  item.dataset["testid"] = "message";
  item.dataset["state"] = row.state;
  item.dataset["author"] = row.author;
  if (row.offset === undefined) delete item.dataset["offset"];
  else item.dataset["offset"] = `${row.offset}`;

  const time = element("time", "", clock.format(row.at));
  time.dateTime = new Date(row.at).toISOString();
  time.title = moment.format(row.at);

  // Shown above the first of a run; read out with each.
  const byline = element("p", row.first && !row.mine ? "byline" : "byline visually-hidden",
    element("b", "", row.mine ? "You" : row.author), " ", time);
  const bubble = element("p", "bubble", ...messageText(row.text));
  bubble.dataset["testid"] = "message-text";
  bubble.title = time.title;

  const content = element("div", "content", byline, bubble);
  const footer = row.mine ? status(row) : undefined;
  if (footer) content.append(footer);
  item.replaceChildren(...(row.mine ? [] : [row.first ? avatar(row.author) : element("span", "avatar-space")]), content);
}

function status(row: MessageRow): HTMLElement | undefined {
  if (row.state === "failed") {
    const footer = element("p", "status failed", `Not sent. ${row.reason ?? ""} `.trimEnd(), " ",
      action("retry", "Try again", row.id), action("discard", "Discard", row.id));
    footer.role = "alert";
    return footer;
  }
  if (!row.last) return undefined;
  switch (row.state) {
    case "sending": return element("p", "status sending", "Sending…");
    case "waiting": return element("p", "status", "Waits for the connection");
    default: return element("p", "status", `Sent ${clock.format(row.at)}`);
  }
}

function action(name: string, label: string, id: string): HTMLElement {
  const button = element("button", "link", label);
  button.type = "button";
  button.dataset["action"] = name;
  button.dataset["id"] = id;
  return button;
}

/** The local calendar day, for comparing. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

function dayName(at: number): string {
  const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(Date.now())) / 86_400_000);
  if (days === 0 || days === -1) {
    const name = relative.format(days, "day");
    return name.charAt(0).toLocaleUpperCase() + name.slice(1);
  }
  return (days > -180 && days < 1 ? weekday : otherYear).format(at);
}

// <notification-bell>: how many notifications are unread, and the newest of them. Blazor renders the element once and leaves it alone
// from then on (data-permanent).

import { backoff, type Position } from "@realtimeaspire/client";
import { passOn } from "../rooms/botReply.js";
import { emptyInbox, hear, openInbox, type Entry, type Inbox, type Notification } from "./inbox.js";
import { mayComeBack, PageClient } from "../pageClient.js";
import { element, part } from "../parts.js";

const most = 99;
/** Milliseconds until an inbox that could not be had is asked for again, at most. */
const again = { first: 2_000, longest: 30_000 };

export class NotificationBell extends HTMLElement {
  #mounted: AbortController | undefined;
  #page!: PageClient;
  #inbox: Inbox = emptyInbox;
  #topic = "";
  #isLoading = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    const user = this.getAttribute("user")!;
    this.#topic = `user:${user}`;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, user);
    signal.addEventListener("abort", this.#page.enter(this.#topic, () => false /* nothing is written here */));
    signal.addEventListener("abort", this.#page.client.onState(({ name }) => { if (name === "connected") void this.#load(); }));
    this.addEventListener("click", event => this.#clicked(event), { signal });
    part(this, "bell-read").addEventListener("click", () => {
      if (this.#inbox.unread > 0) this.#tell("/inbox/read", { upTo: this.#inbox.notifications[0]?.offset ?? 0 });
    }, { signal });
    if (this.#page.client.state.name === "connected") void this.#load();
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
    clearTimeout(this.#retry);
  }

  /** What there is, and from there on what happens: once per page, or again where that could not be. */
  async #load(attempt = 0): Promise<void> {
    const { signal } = this.#mounted!;
    if (this.#isLoading || signal.aborted) return;
    this.#isLoading = true;
    clearTimeout(this.#retry);
    try {
      const { notifications, unread, position } = await this.#page.get<{ notifications: readonly Entry[]; unread: number; position: Position }>("/inbox");
      this.#set(openInbox(notifications, unread));
      const subscription = await this.#page.client.subscribe(this.#topic, {
        position, signal,
        onEvent: event => {
          passOn(event);
          this.#set(hear(this.#inbox, event));
        },
        reload: () => { this.#isLoading = false; void this.#load(); },
      });
      void subscription.closed.then(() => { this.#isLoading = false; });
    } catch (error) {
      // Without an inbox there is no bell until the next connection; one that is there already shows what is known.
      this.#isLoading = false;
      if (!signal.aborted && mayComeBack(error)) this.#retry = setTimeout(() => void this.#load(attempt + 1), backoff(again, attempt, Math.random()));
    }
  }

  #set(inbox: Inbox): void {
    if (this.#mounted?.signal.aborted) return;
    this.#inbox = inbox;
    this.hidden = false;
    this.#draw();
  }

  #draw(): void {
    const { notifications, unread } = this.#inbox;
    const badge = part(this, "bell-count");
    badge.hidden = unread === 0;
    badge.textContent = unread > most ? `${most}+` : `${unread}`;
    part(this, "bell-button").ariaLabel = unread === 0 ? "Notifications" : `Notifications, ${unread} unread`;
    // Switched off for good it would let go of the focus that it may have.
    part(this, "bell-read").ariaDisabled = `${unread === 0}`;
    part(this, "bell-empty").hidden = notifications.length > 0;
    const list = part(this, "bell-list");
    // Focus stays with what is looked at while others come, or are read.
    const focused = list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["id"] : undefined;
    list.replaceChildren(...notifications.map(item));
    if (focused !== undefined) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #clicked({ target }: Event): void {
    const id = (target as Element).closest<HTMLElement>("[data-id]")?.dataset["id"];
    const notification = this.#inbox.notifications.find(one => one.id === id);
    if (notification && !notification.read) this.#tell(`/inbox/${encodeURIComponent(notification.id)}/read`, {});
    // What a link leads to is not to be under the panel.
    if ((target as Element).closest("a")) part(this, "bell-panel").hidePopover();
  }

  #tell(path: string, body: unknown): void {
    // What becomes of it comes as an event, on this device as on the others.
    this.#page.post(path, body).catch(() => { /* it stays unread */ });
  }
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function item({ id, title, body, link, at, read }: Notification): HTMLElement {
  const time = element("time", "", moment.format(at));
  time.dateTime = new Date(at).toISOString();
  // The server takes paths of the application and http(s) addresses only.
  const about = link !== null && /^(\/(?!\/)|https?:\/\/)/.test(link) ? element("a", "bell-item") : element("button", "bell-item");
  if (about instanceof HTMLAnchorElement) about.href = link!;
  else about.type = "button";
  about.append(element("b", "", title), ...(body === null ? [] : [element("span", "", body)]), time, ...(read ? [] : [element("span", "visually-hidden", "unread")]));
  about.dataset["id"] = id;
  about.dataset["read"] = `${read}`;
  const line = element("li", "", about);
  line.dataset["testid"] = "notification";
  return line;
}

// <live-room>: one room on the page. Owns the room's subscription and what stands around its conversation: the header, what is beside
// it, and links into it. Blazor renders the element with its content once and leaves it alone from then on (data-permanent).

import { backoff, type RealtimeError, type SubscribeOptions, type Subscription, type TopicEvent } from "@realtimeaspire/client";
import type { Aside } from "./asides.js";
import type { FileInfo } from "./body.js";
import { botReply } from "./botReply.js";
import { Commands } from "./commands.js";
import type { ConnectionStateElement } from "../connectionState.js";
import { Conversation, type Around } from "./conversation.js";
import { Pictures } from "./files.js";
import { readMembers } from "./membersPanel.js";
import { openMenu } from "../menu.js";
import { PageClient, type Outcome } from "../pageClient.js";
import { part } from "../parts.js";
import { statusesOf } from "../people/statuses.js";
import { ReadState } from "./readState.js";
import * as rooms from "./room.js";
import { showHeading, UnreadTitle } from "./roomHeading.js";
import { readMessage, readPast, roomPath } from "./roomHistory.js";
import { RoomMenu, type RoomInfo } from "./roomMenu.js";
import { RoomPanels } from "./roomPanels.js";
import { RoomPeople } from "./roomPeople.js";
import { lastOwn } from "./rows.js";

/** The page shows the newest messages, also after a reload: so it begins with them, and keeps no position. */
const shown = 50;
/** With fewer messages than this a screen may not be full. */
const fewLines = 30;
/** Milliseconds until a room that was refused is asked for again, at least, and what is added: rights do not change by the second. */
const refusedFor = 2_000;
const refusedAgain = { first: 2_000, longest: 8_000 };

/** Milliseconds for which something that was done, or was not, is said. */
const saidFor = 6_000;

export class LiveRoom extends HTMLElement {
  #mounted: AbortController | undefined;
  /** The subscription of the moment; what an earlier one still brings is void. */
  #subscribed = new AbortController();
  #topic = "";
  #me = "";
  #page!: PageClient;
  #pictures!: Pictures;
  #room!: Conversation;
  #around!: Around;
  #people!: RoomPeople;
  #reads!: ReadState;
  #menu!: RoomMenu;
  #panels!: RoomPanels;
  #view!: ConnectionStateElement;
  /** Whether this user may know who is here. */
  #knowsPeople = true;
  #known: readonly string[] | undefined;
  /** Where he left off is not known yet: until then nothing counts as read. */
  #isOpening = true;
  #firstUnread: number | undefined;
  #tab!: UnreadTitle;
  #saying: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    this.#topic = this.getAttribute("topic")!;
    this.#me = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, this.#me);
    const { client } = this.#page;
    this.#tab = new UnreadTitle();
    this.#isOpening = true;
    this.#pictures = new Pictures(this.#page, this);
    this.#panels = new RoomPanels(this, this.#page, this.#topic, this.#me, offset => void this.#goTo(offset));
    this.#people = new RoomPeople(this, client, this.#topic, this.#me, statusesOf(this.#page), () => {
      this.#panels.members?.draw();
      this.#reads.again();
    });
    this.#reads = new ReadState(this.#page, this.#topic, this.#me, (offset, receipts) => this.#room.look({ receipts: { offset, ...receipts } }));
    this.#menu = new RoomMenu(this.#page, this.#topic, this.#me, {
      date: at => this.#goToDate(at), pins: () => this.#panels.openPins(), reports: () => this.#panels.openReports(), say: text => this.#say(text),
      changed: () => void this.#describe().then(() => this.#panels.members?.refresh()),
    });
    const commands = new Commands(this.#page, this.#topic, {
      answered: (text, thread) => {
        this.#answer({ from: null, text }, thread);
        void this.#panels.members?.refresh();
      },
      learned: () => {
        this.#room.offer();
        this.#panels.thread?.offer();
      },
    });
    const known = this.getAttribute("room");
    if (known) this.#introduce(JSON.parse(known) as RoomInfo);
    this.#around = {
      page: this.#page, topic: this.#topic, me: this.#me, pictures: this.#pictures, files: new Map<string, FileInfo>(),
      people: () => [...this.#people.present.map(({ user }) => user), ...this.#names()],
      commands: () => commands.options,
      nameOf: user => commands.nameOf(user),
      statusOf: user => this.#people.statusOf(user),
      command: (text, thread, refused) => commands.run(text, thread, refused),
      typed: () => this.#people.typed(),
      wrote: () => this.#people.stopped(),
      say: text => this.#say(text),
      openThread: offset => this.#panels.openThread(this.#around, offset),
      jump: offset => void this.#goTo(offset),
      menu: message => this.#menu.of(message),
      changed: () => this.#changed(),
    };
    this.#room = new Conversation(part(this, "room"), this.#around, null);
    this.#room.look({ slowSeconds: this.#slowSeconds });

    this.#view = part<ConnectionStateElement>(this, "connection-state");
    // In a page that Blazor has put together the element within comes after this one.
    customElements.upgrade(this.#view);
    this.#view.client = client;
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });
    document.addEventListener("click", event => this.#followed(event), { signal, capture: true });
    document.addEventListener("keydown", event => this.#pressed(event), { signal });
    document.addEventListener(botReply, ({ detail: { room, bot, text, thread } }) => {
      if (room === this.#topic) this.#answer({ from: bot, text }, thread === undefined ? null : Number(thread));
    }, { signal });
    part(this, "people").addEventListener("click", () => this.#panels.openMembers(this.#menu, () => this.#people.present), { signal });
    part(this, "search").addEventListener("click", () => this.#panels.openSearch(), { signal });
    part(this, "pins").addEventListener("click", () => this.#panels.openPins(), { signal });
    const more = part(this, "more");
    more.addEventListener("click", () => openMenu(more, "This room", this.#menu.items), { signal });
    part(this, "to-unread").addEventListener("click", () => void this.#goToUnread(), { signal });
    part(this, "hide-unread").addEventListener("click", () => { part(this, "unread-bar").hidden = true; }, { signal });

    signal.addEventListener("abort", this.#page.enter(this.#topic, outcome => this.#learn(outcome)));
    signal.addEventListener("abort", client.onState(() => {
      this.#room.redraw();
      this.#panels.thread?.redraw();
    }));
    signal.addEventListener("abort", client.onPending(() => this.#room.pending()));
    void this.#subscribe();
    this.#room.focus();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
    this.#subscribed.abort();
    clearTimeout(this.#saying);
    this.#panels.dispose();
    this.#people.close();
    this.#reads.dispose();
    this.#room.dispose();
    this.#pictures.dispose();
  }

  async #subscribe(attempt = 0): Promise<void> {
    this.#subscribed.abort();
    const { signal } = this.#subscribed = new AbortController();
    try {
      // After a refusal it goes on where it was: what was said meanwhile may be more than is shown at first.
      const { position } = this.#room.room;
      const options: SubscribeOptions = {
        ...(position ? { position } : { rewind: { count: shown } }),
        signal,
        onEvent: event => { if (!signal.aborted) this.#receive(event); },
        reload: ({ recovery }) => {
          if (signal.aborted) return;
          this.#room.lose(recovery);
          this.#panels.thread?.lose(recovery);
          void this.#subscribe();
        },
      };
      const subscription = await this.#enter(options);
      attempt = 0;
      this.#view.refused = undefined;
      if (this.#room.room.lines.length < fewLines && this.#room.room.position) await this.#room.loadOlder();
      await this.#open();
      this.#room.opened();
      const error = await subscription.closed;
      if (error) throw error;
    } catch (error) {
      if (!signal.aborted && this.#page.client.state.name !== "closed") this.#refuse(error as RealtimeError, attempt, signal);
    }
  }

  /** Who may read a room may not be allowed to know who is in it; and of some rooms nobody knows. */
  async #enter(options: SubscribeOptions): Promise<Subscription> {
    const { client } = this.#page;
    if (!this.#knowsPeople) return client.subscribe(this.#topic, options);
    try {
      return await client.subscribe(this.#topic, this.#people.options(options));
    } catch (error) {
      if (!["forbidden", "presence_not_offered"].includes((error as RealtimeError).code)) throw error;
      const subscription = await client.subscribe(this.#topic, options);
      // Else the room itself is not for this user, and who is in it may be when he is let in.
      this.#knowsPeople = false;
      return subscription;
    }
  }

  #refuse({ message }: RealtimeError, attempt: number, signal: AbortSignal): void {
    this.#people.lost();
    const wait = refusedFor + backoff(refusedAgain, attempt, Math.random());
    const again = () => { if (!signal.aborted) void this.#subscribe(attempt + 1); };
    this.#view.refused = { reason: message, retryAt: Date.now() + wait, retryNow: again };
    setTimeout(again, wait);
  }

  /** What the room is, where the user left off, and where a link into it leads: once, when it is there. */
  async #open(): Promise<void> {
    if (!this.#isOpening) return;
    const target = linked(location);
    try {
      // The page came with it, where the room was there; one that nobody has spoken in is none yet.
      const room = this.#menu.room ?? (this.#room.room.position?.offset ? await this.#describe() : undefined);
      if (room && room.unread > 0) {
        const { firstUnread } = await readPast(this.#page, this.#topic, { unread: true, limit: 1 });
        if (firstUnread !== null) this.#leftOff(firstUnread, room.unread);
      }
    } catch {
      // Then the conversation stands there without it.
    }
    this.#isOpening = false;
    if (target !== undefined) await this.#goTo(target);
  }

  async #describe(): Promise<RoomInfo> {
    const room = await this.#page.get<RoomInfo>(roomPath(this.#topic));
    this.#introduce(room);
    return room;
  }

  #introduce(room: RoomInfo): void {
    this.#menu.room = room;
    showHeading(this, room, this.#me);
    this.#room?.look({ slowSeconds: this.#slowSeconds });
  }

  /** Moderators need not wait. */
  get #slowSeconds(): number {
    return this.#menu.isModerator ? 0 : this.#menu.room?.slowSeconds ?? 0;
  }

  /** Of the members, asked for when somebody is mentioned for the first time. */
  #names(): readonly string[] {
    if (!this.#known) {
      this.#known = [];
      if (this.#menu.room) readMembers(this.#page, this.#topic).then(members => { this.#known = members.filter(({ role }) => role !== "banned").map(({ user }) => user); }, () => { this.#known = undefined; });
    }
    return this.#known ?? [];
  }

  #leftOff(firstUnread: number, unread: number): void {
    this.#firstUnread = firstUnread;
    this.#room.look({ firstUnread });
    this.#room.draw();
    const bar = part(this, "unread-bar");
    part(this, "to-unread").textContent = unread === 1 ? "1 unread message: show it" : `${unread} unread messages: show the first`;
    const line = this.querySelector<HTMLElement>(".unread-line");
    // It is before the reader's eyes anyway.
    const isSeen = line !== null && line.getBoundingClientRect().top >= part(this, "scroller").getBoundingClientRect().top;
    bar.hidden = isSeen;
  }

  #receive(event: TopicEvent): void {
    if (event.offset === undefined) {
      const { user, offset } = (event.data.payload ?? {}) as { user?: unknown; offset?: unknown };
      if (event.event === rooms.chatRead && event.data.user_id === null && typeof user === "string" && typeof offset === "number") this.#reads.heard(user, offset);
      return;
    }
    const target = Number(event.data.entity_id);
    if (event.event === rooms.chatDelete && !rooms.find(this.#room.room, target)) void this.#recount(target);
    this.#room.receive(event);
    this.#panels.receive(event);
  }

  /** What is gone was perhaps in a thread: then its message has one answer less. */
  async #recount(deleted: number): Promise<void> {
    try {
      const { thread } = await readMessage(this.#page, this.#topic, deleted);
      if (thread !== null && rooms.find(this.#room.room, thread)) this.#room.describe([await readMessage(this.#page, this.#topic, thread)]);
    } catch {
      // The next page that is read says it.
    }
  }

  #learn(outcome: Outcome): boolean {
    if (outcome.event === rooms.chatMessage) return this.#room.learn(outcome) || (this.#panels.thread?.learn(outcome) ?? false);
    this.#say("error" in outcome ? outcome.error.message : "");
    return true;
  }

  /** Where he has asked, or in the room. */
  #answer(aside: Aside, thread: number | null): void {
    const place = thread !== null && this.#panels.thread?.root === thread ? this.#panels.thread : this.#room;
    place.tell(aside);
  }

  #say(text: string): void {
    clearTimeout(this.#saying);
    part(this, "said").textContent = text;
    if (text !== "") this.#saying = setTimeout(() => this.#say(""), saidFor);
  }

  /** Something was drawn, or has come before the reader's eyes. */
  #changed(): void {
    // The first drawing is the conversation's own, before it is known here.
    if (!this.#room) return;
    this.#reads.own(lastOwn(this.#room.room)?.offset);
    this.#tell();
    this.#tab.came(this.#room.takeNews());
  }

  #tell(): void {
    if (!this.#isOpening) this.#reads.here(this.#room.room.position, !document.hidden && this.#room.isRead);
  }

  #looked(): void {
    this.#tell();
    this.#tab.looked();
  }

  /** Shows a message, wherever in the room it is. */
  async #goTo(offset: number): Promise<void> {
    if (this.#room.show(offset)) return;
    try {
      const message = await readMessage(this.#page, this.#topic, offset);
      if (message.thread !== null) {
        await this.#goTo(message.thread);
        this.#panels.openThread(this.#around, message.thread, offset);
      } else {
        this.#room.goTo(await readPast(this.#page, this.#topic, { around: offset }), offset);
      }
    } catch (error) {
      this.#say((error as Error).message);
    }
  }

  async #goToDate(at: string): Promise<void> {
    const past = await readPast(this.#page, this.#topic, { at });
    const first = past.messages.find(message => message.at >= Date.parse(at)) ?? past.messages.at(-1);
    if (!first) throw new Error("There is no message in this room yet.");
    // When the dialog is gone, and has given the focus back.
    setTimeout(() => this.#room.goTo(past, first.offset));
  }

  /** Where he left off; by now it counts as read. */
  async #goToUnread(): Promise<void> {
    part(this, "unread-bar").hidden = true;
    if (this.#firstUnread !== undefined) await this.#goTo(this.#firstUnread);
  }

  /** A link to a message of this room leads there without the page being loaded again. */
  #followed(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLAnchorElement>("a[href]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const target = linked(link);
    if (link.origin !== location.origin || link.pathname !== location.pathname || target === undefined) return;
    // Nobody else follows it then; the bell hears of it as of every link.
    event.preventDefault();
    void this.#goTo(target);
  }

  #pressed(event: KeyboardEvent): void {
    const { key, ctrlKey, metaKey, altKey, defaultPrevented } = event;
    const isWriting = (event.target as Element).closest("input, textarea, select, [contenteditable]") !== null;
    const isSearch = (key.toLowerCase() === "k" && (ctrlKey || metaKey)) || (key === "/" && !ctrlKey && !metaKey && !isWriting);
    if (!isSearch || altKey || defaultPrevented || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.#panels.openSearch();
  }
}

/** The message that an address is about. */
function linked({ search }: { readonly search: string }): number | undefined {
  const at = new URLSearchParams(search).get("at");
  return at !== null && /^[1-9]\d{0,15}$/.test(at) ? Number(at) : undefined;
}

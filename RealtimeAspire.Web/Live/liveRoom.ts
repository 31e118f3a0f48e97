// <live-room>: one room on the page. Drives the value in room.ts with the client and draws it. Blazor renders the element with its
// content once and leaves it alone from then on (data-permanent).

import { backoff, newId, type Position, type RealtimeError, type SubscribeOptions, type Subscription } from "@realtimeaspire/client";
import { Composer } from "./composer.js";
import type { ConnectionStateElement } from "./connectionState.js";
import { Kept } from "./kept.js";
import { dayOf, MessageList } from "./messageList.js";
import { PageClient, type Outcome } from "./pageClient.js";
import { part } from "./parts.js";
import { readPast, roomPath } from "./roomHistory.js";
import { RoomPeople } from "./roomPeople.js";
import * as rooms from "./room.js";
import { rows, type Older, type Row } from "./rows.js";

/** The page shows the newest messages, also after a reload: so it begins with them each time, and keeps no position. */
const window = 50;
/** Lines kept on a page that stays open. */
const keptLines = 1_000;
/** Milliseconds for which what is seen is gathered before it counts as read. */
const readAfter = 500;
/** With fewer messages than this a screen may not be full. */
const fewLines = 30;
/** Milliseconds until a room that was refused is asked for again, at least, and what is added: rights do not change by the second. */
const refusedFor = 2_000;
const refusedAgain = { first: 2_000, longest: 8_000 };

export class LiveRoom extends HTMLElement {
  #mounted: AbortController | undefined;
  /** The subscription of the moment; what an earlier one still brings is void. */
  #subscribed = new AbortController();
  #page!: PageClient;
  #room!: rooms.Room;
  #kept!: Kept;
  #list!: MessageList;
  #composer!: Composer;
  #people!: RoomPeople;
  /** Whether this user may know who is here. */
  #knowsPeople = true;
  #told: Position | null = null;
  #reading: ReturnType<typeof setTimeout> | undefined;
  #view!: ConnectionStateElement;
  #loading: "waiting" | "here" | "shown" = "waiting";
  #older: Older = "there";
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #unread = 0;
  #title = "";

  connectedCallback(): void {
    const topic = this.getAttribute("topic")!;
    const user = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, user);
    const { client } = this.#page;

    this.#kept = new Kept(user, topic);
    const failed = this.#kept.failed.map(draft => ({ ...draft, state: "failed" as const }));
    this.#room = rooms.takeOver(rooms.openRoom(topic, user, failed), client.pending);
    this.#list = new MessageList(this, {
      retry: id => this.#sendAgain(id),
      discard: id => this.#change(rooms.discard(this.#room, id)),
      older: () => void this.#loadOlder(),
      react: (offset, emoji) => this.#react(offset, emoji),
      edit: offset => this.#edit(offset),
      remove: offset => this.#remove(offset),
    });
    this.#composer = new Composer(this, this.#kept.text, {
      send: text => this.#write(text),
      edit: (offset, text) => this.#act(rooms.chatEdit, offset, { text }),
      changed: text => { this.#kept.text = text; },
      typed: () => this.#people.typed(),
    });
    this.#people = new RoomPeople(this, client, topic, user);
    this.#view = part<ConnectionStateElement>(this, "connection-state");
    // In a page that Blazor has put together the element within comes after this one.
    customElements.upgrade(this.#view);
    this.#view.client = client;
    this.#title = document.title;
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });

    signal.addEventListener("abort", this.#page.enter(topic, outcome => this.#learn(outcome)));
    signal.addEventListener("abort", client.onState(() => this.#redraw()));
    signal.addEventListener("abort", client.onPending(() => this.#change(rooms.takeOver(this.#room, client.pending))));
    void this.#subscribe();
    this.#composer.focusIfKeyboard();
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
    this.#subscribed.abort();
    clearTimeout(this.#drawing);
    clearTimeout(this.#reading);
    this.#people.close();
    this.#list.dispose();
  }

  async #subscribe(attempt = 0): Promise<void> {
    this.#subscribed.abort();
    const { signal } = this.#subscribed = new AbortController();
    try {
      const options: SubscribeOptions = {
        rewind: { count: window },
        signal,
        onEvent: event => { if (!signal.aborted) this.#change(rooms.receive(this.#room, event)); },
        reload: ({ recovery }) => {
          if (signal.aborted) return;
          this.#change(rooms.lose(this.#room, recovery));
          void this.#subscribe();
        },
      };
      const subscription = await this.#enter(options);
      attempt = 0;
      this.#view.refused = undefined;
      if (this.#room.lines.length < fewLines && this.#room.position) await this.#loadOlder();
      if (this.#loading === "waiting") this.#loading = "here";
      this.#redraw();
      const error = await subscription.closed;
      if (error) throw error;
    } catch (error) {
      if (!signal.aborted && this.#page.client.state.name !== "closed") this.#refuse(error as RealtimeError, attempt, signal);
    }
  }

  /** Who may read a room may not be allowed to know who is in it; and of some rooms nobody knows. */
  async #enter(options: SubscribeOptions): Promise<Subscription> {
    const { client } = this.#page;
    const { topic } = this.#room;
    if (!this.#knowsPeople) return client.subscribe(topic, options);
    try {
      return await client.subscribe(topic, this.#people.options(options));
    } catch (error) {
      if (!["forbidden", "presence_not_offered"].includes((error as RealtimeError).code)) throw error;
      this.#knowsPeople = false;
      return client.subscribe(topic, options);
    }
  }

  #refuse({ message }: RealtimeError, attempt: number, signal: AbortSignal): void {
    const wait = refusedFor + backoff(refusedAgain, attempt, Math.random());
    const again = () => { if (!signal.aborted) void this.#subscribe(attempt + 1); };
    this.#view.refused = { reason: message, retryAt: Date.now() + wait, retryNow: again };
    setTimeout(again, wait);
  }

  /** What was said before the oldest message that is here. */
  async #loadOlder(): Promise<void> {
    const { generation, complete } = this.#room;
    const before = rooms.oldest(this.#room);
    if (complete || before === 1 || this.#older === "loading") return;
    this.#older = "loading";
    this.#redraw();
    try {
      const past = await readPast(this.#page, this.#room.topic, before);
      this.#older = "there";
      if (generation === this.#room.generation) this.#change(rooms.unfold(this.#room, past.messages, past.complete));
    } catch {
      // The list says so, and asks again when the reader does.
      this.#older = "failed";
    }
    this.#redraw();
  }

  #react(offset: number, emoji: string): void {
    const reaction = this.#message(offset)?.reactions.find(known => known.emoji === emoji);
    this.#act(rooms.chatReaction, offset, { emoji, on: !reaction?.users.includes(this.#room.me) });
  }

  #edit(offset: number): void {
    const message = this.#message(offset);
    if (message) this.#composer.edit(offset, message.text);
  }

  #remove(offset: number): void {
    if (confirm("Delete this message for everybody?")) this.#act(rooms.chatDelete, offset, {});
  }

  #act(event: string, offset: number, payload: unknown): void {
    this.#say(this.#page.client.state.name === "connected" ? "" : "What you did is done when the connection is back.");
    this.#page.act(this.#room.topic, event, offset, payload);
  }

  #say(text: string): void {
    part(this, "said").textContent = text;
  }

  #message(offset: number): rooms.Message | undefined {
    return this.#room.lines.find(line => line.kind === "message" && line.generation === this.#room.generation && line.offset === offset) as rooms.Message | undefined;
  }

  #write(text: string): void {
    this.#people.stopped();
    const id = newId();
    this.#change(rooms.write(this.#room, id, text, Date.now()));
    this.#draw();
    this.#list.showNewest("instant");
    this.#page.send(this.#room.topic, id, text);
  }

  #sendAgain(id: string): void {
    this.#change(rooms.retry(this.#room, id));
    const text = this.#room.drafts.find(draft => draft.id === id)?.text;
    if (text !== undefined) this.#page.send(this.#room.topic, id, text);
  }

  #learn({ id, event, ...outcome }: Outcome): void {
    if (event !== rooms.chatMessage) {
      this.#say("error" in outcome ? outcome.error.message : "");
      return;
    }
    this.#change("reply" in outcome ? rooms.confirm(this.#room, id, outcome.reply) : rooms.fail(this.#room, id, outcome.error.message));
  }

  #change(room: rooms.Room): void {
    if (room === this.#room) return;
    if (room.drafts !== this.#room.drafts) {
      this.#kept.failed = room.drafts.filter(draft => draft.state === "failed").map(({ id, text, at, reason }) => ({ id, text, at, reason: reason ?? "" }));
    }
    this.#room = this.#list.atBottom ? rooms.trim(room, keptLines) : room;
    this.#redraw();
  }

  /** Once for all that comes in one go; not at the next frame: a hidden tab has none, and its title counts. */
  #redraw(): void {
    this.#drawing ??= setTimeout(() => this.#draw());
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    const drawn = this.#rows();
    const news = this.#list.draw(drawn);
    const isWaiting = this.#loading === "waiting" && drawn.length === 0;
    part(this, "skeleton").hidden = !isWaiting;
    part(this, "empty").hidden = isWaiting || drawn.length > 0;
    if (this.#loading === "here") {
      this.#loading = "shown";
      this.#list.settled();
    }
    this.#read();
    if (document.hidden && news > 0) {
      this.#unread += news;
      document.title = `(${this.#unread}) ${this.#title}`;
    }
  }

  /** What is on the screen is read, and the user's other devices know that. */
  #read(): void {
    if (document.hidden || !this.#list.atBottom || this.#isTold() || this.#page.client.state.name !== "connected") return;
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined;
      const { position, topic } = this.#room;
      if (!position || this.#isTold()) return;
      this.#told = position;
      // Not told: the next message tells it again.
      this.#page.post(`${roomPath(topic)}/read`, { offset: position.offset }).catch(() => { this.#told = null; });
    }, readAfter);
  }

  /** Offsets compare only within an epoch. */
  #isTold(): boolean {
    const { position } = this.#room;
    return !position || (this.#told?.epoch === position.epoch && this.#told.offset >= position.offset);
  }

  #looked(): void {
    this.#read();
    if (document.hidden || this.#unread === 0) return;
    this.#unread = 0;
    document.title = this.#title;
  }

  #rows(): readonly Row[] {
    return rows(this.#room, this.#page.client.state.name === "connected", dayOf, this.#older);
  }
}

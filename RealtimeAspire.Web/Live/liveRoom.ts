// <live-room>: one room on the page. Drives the value in room.ts with the connection and draws it. Blazor renders the
// element with its content once and leaves it alone from then on (data-permanent).

import { backoff } from "./backoff.js";
import { Composer } from "./composer.js";
import { RealtimeConnection, Refusal, type ConnectionState, type TopicListener } from "./connection.js";
import { ConnectionStateView, type ShownState } from "./connectionState.js";
import { dayOf, MessageList } from "./messageList.js";
import { newId } from "./newId.js";
import { Outbox } from "./outbox.js";
import { part } from "./parts.js";
import * as rooms from "./room.js";
import { rows, type Row } from "./rows.js";
import type { Control, PublishReply, TopicEvent } from "./wire.js";

/** Lines kept on a page that stays open. */
const keptLines = 1_000;

let connection: RealtimeConnection | undefined;

export class LiveRoom extends HTMLElement implements TopicListener {
  #mounted: AbortController | undefined;
  #connection!: RealtimeConnection;
  #detach!: () => void;
  #room!: rooms.Room;
  #outbox!: Outbox;
  #list!: MessageList;
  #composer!: Composer;
  #view!: ConnectionStateView;
  #state: ConnectionState = { phase: "connecting" };
  #refused: { reason: string; retryAt: number } | undefined;
  /** Which subscribe is the current one; a reply to an earlier one is void. */
  #subscribe = 0;
  #isLive = false;
  #drawing = false;
  #unread = 0;
  #title = "";

  connectedCallback(): void {
    const topic = this.getAttribute("topic")!;
    const user = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;

    this.#outbox = new Outbox(user, topic);
    this.#room = rooms.openRoom(topic, user, this.#outbox.load(Date.now()));
    this.#list = new MessageList(this, {
      retry: id => this.#publishAgain(id),
      discard: id => this.#change(rooms.discard(this.#room, id)),
    });
    this.#composer = new Composer(this, this.#outbox.text, {
      send: text => this.#write(text),
      changed: text => { this.#outbox.text = text; },
    });
    this.#view = new ConnectionStateView(this, () => this.#retryNow());
    this.#title = document.title;
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });

    connection ??= new RealtimeConnection(this.getAttribute("api")!);
    this.#connection = connection;
    this.#detach = connection.attach(topic, this);
    this.#composer.focusIfKeyboard();
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
    this.#subscribe++;
    this.#detach();
    this.#list.dispose();
    this.#view.dispose();
  }

  connected(): void {
    void this.#join();
  }

  events(events: readonly TopicEvent[]): void {
    const step = rooms.receive(this.#room, events);
    this.#change(step.room);
    if (step.next === "subscribe") void this.#join();
  }

  control(control: Control): void {
    if (control.type === "reset") void this.#join();
    else if (control.type === "unsubscribed") this.#refuse(control.reason ?? "The server has ended this subscription.", 0);
  }

  state(state: ConnectionState): void {
    this.#state = state;
    if (state.phase !== "connected") {
      this.#isLive = false;
      this.#refused = undefined;
      this.#subscribe++;
    }
    this.#showState();
  }

  async #join(attempt = 0): Promise<void> {
    const current = ++this.#subscribe;
    this.#change(rooms.join(this.#room));
    try {
      for (let next = "subscribe"; next === "subscribe";) {
        const reply = await this.#connection.subscribe(rooms.request(this.#room));
        if (current !== this.#subscribe) return;
        const step = rooms.joined(this.#room, reply);
        this.#change(step.room);
        next = step.next;
      }
    } catch (error) {
      // A broken connection comes back by itself and subscribes again.
      if (current === this.#subscribe && error instanceof Refusal) this.#refuse(error.message, attempt);
      return;
    }

    this.#refused = undefined;
    if (!this.#isLive) {
      this.#isLive = true;
      this.#showState();
      this.#list.settled();
      this.#sendWaiting();
    }
  }

  #refuse(reason: string, attempt: number): void {
    const wait = backoff(attempt + 2, Math.random());
    const current = this.#subscribe;
    this.#isLive = false;
    this.#refused = { reason, retryAt: Date.now() + wait };
    this.#showState();
    setTimeout(() => { if (current === this.#subscribe) void this.#join(attempt + 1); }, wait);
  }

  #retryNow(): void {
    if (this.#refused) void this.#join();
    else this.#connection.retryNow();
  }

  #write(text: string): void {
    const id = newId();
    this.#change(rooms.write(this.#room, id, text, Date.now()));
    this.#list.draw(this.#rows());
    this.#list.showNewest("instant");
    if (this.#isLive) void this.#publish(id, text);
  }

  #publishAgain(id: string): void {
    this.#change(rooms.retry(this.#room, id));
    const text = this.#room.drafts.find(draft => draft.id === id)?.text;
    if (this.#isLive && text !== undefined) void this.#publish(id, text);
  }

  /** In the order in which they were written, all in flight at once. */
  #sendWaiting(): void {
    for (const { id, text, state } of this.#room.drafts) {
      if (state === "sending") void this.#publish(id, text);
    }
  }

  async #publish(id: string, text: string): Promise<void> {
    const { topic } = this.#room;
    try {
      const reply = await this.#connection.invoke<PublishReply>("Publish",
        { topic, event: rooms.chatMessage, payload: { text }, id });
      this.#change(rooms.confirm(this.#room, id, reply));
    } catch (error) {
      // Without an answer the draft stays as it is and goes out again, with its id, when the connection is back.
      if (error instanceof Refusal) this.#change(rooms.fail(this.#room, id, error.message));
    }
  }

  #change(room: rooms.Room): void {
    if (room === this.#room) return;
    if (room.drafts !== this.#room.drafts) this.#outbox.save(room.drafts);
    this.#room = this.#list.atBottom ? rooms.trim(room, keptLines) : room;
    this.#redraw();
  }

  #redraw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    // Not at the next frame: a hidden tab has none, and its title counts.
    queueMicrotask(() => {
      this.#drawing = false;
      if (this.isConnected) this.#draw();
    });
  }

  #draw(): void {
    const drawn = this.#rows();
    const news = this.#list.draw(drawn);
    const waiting = this.#room.position === null && drawn.length === 0;
    part(this, "skeleton").hidden = !waiting;
    part(this, "empty").hidden = waiting || drawn.length > 0;
    if (document.hidden && news > 0) {
      this.#unread += news;
      document.title = `(${this.#unread}) ${this.#title}`;
    }
  }

  #looked(): void {
    if (document.hidden || this.#unread === 0) return;
    this.#unread = 0;
    document.title = this.#title;
  }

  #rows(): readonly Row[] {
    return rows(this.#room, this.#isLive, dayOf);
  }

  #showState(): void {
    this.#view.show(this.#shownState());
    this.#redraw();
  }

  #shownState(): ShownState {
    if (this.#refused) return { state: "reconnecting", ...this.#refused };
    switch (this.#state.phase) {
      case "connecting": return { state: "connecting" };
      case "connected": return { state: this.#isLive ? "live" : "connecting" };
      case "reconnecting":
        return { state: "reconnecting", ...(this.#state.retryAt === undefined ? {} : { retryAt: this.#state.retryAt }) };
      case "offline": return { state: "offline", reason: this.#state.reason };
    }
  }
}

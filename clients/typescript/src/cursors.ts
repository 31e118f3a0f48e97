// Where people point on a topic.

import type { RealtimeClient } from "./client.js";
import { notify } from "./notify.js";
import type { Presence } from "./presence.js";
import type { TopicEvent } from "./wire.js";

/** A place, in units of the application's. */
export interface Cursor {
  readonly x: number;
  readonly y: number;
  /** What is selected; any JSON. */
  readonly selection?: unknown;
  /** In which the user is drawn. */
  readonly colour?: string;
}

export interface CursorOptions {
  /** Who is there: who leaves takes his cursor with him. */
  readonly presence?: Pick<Presence, "on">;
  /** Milliseconds for which a cursor that does not move is shown: 30,000. */
  readonly lasts?: number;
  /** Milliseconds in which a cursor comes to where it was last: 80. */
  readonly smoothing?: number;
}

interface Heard {
  from: Cursor;
  to: Cursor;
  at: number;
  gone: ReturnType<typeof setTimeout>;
}

/** Milliseconds from one that is said to the next. */
const batch = 25;

/**
 * Says of oneself where one points, every 25 ms at most and the newest, and keeps the newest of each other. A cursor stays until its
 * user leaves, where a {@link Presence} is given, or has not moved for a time.
 *
 * @example
 * const cursors = new Cursors(client, "room:board");
 * await client.subscribe("room:board", { onEvent: event => { cursors.receive(event); } });
 * board.addEventListener("pointermove", e => cursors.move({ x: e.offsetX, y: e.offsetY, colour: "#08f" }));
 * requestAnimationFrame(function draw() { paint(cursors.smoothed()); requestAnimationFrame(draw); });
 */
export class Cursors {
  readonly #client: Pick<RealtimeClient, "publish">;
  readonly #topic: string;
  readonly #lasts: number;
  readonly #smoothing: number;
  readonly #heard = new Map<string, Heard>();
  readonly #listeners = new Set<() => void>();
  readonly #ignore: (() => void) | undefined;
  #waiting: Cursor | undefined;
  #isSaying = false;

  constructor(client: Pick<RealtimeClient, "publish">, topic: string, { presence, lasts = 30_000, smoothing = 80 }: CursorOptions = {}) {
    this.#client = client;
    this.#topic = topic;
    this.#lasts = lasts;
    this.#smoothing = smoothing;
    this.#ignore = presence?.on("left", user => this.#forget(user));
  }

  /** The newest of each user. */
  get all(): ReadonlyMap<string, Cursor> {
    return new Map([...this.#heard].map(([user, { to }]) => [user, to]));
  }

  /** Where each is drawn now, on its way to where it was last: for each frame. */
  smoothed(now = performance.now()): ReadonlyMap<string, Cursor> {
    return new Map([...this.#heard].map(([user, heard]) => [user, this.#between(heard, now)]));
  }

  /** Called when a cursor has moved or has gone, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The user points there: call it with each move. */
  move(cursor: Cursor): void {
    this.#waiting = cursor;
    if (!this.#isSaying) void this.#say();
  }

  /** The topic's next event: for `onEvent`. True: it was one of these. */
  receive({ event, offset, data }: TopicEvent): boolean {
    if (offset !== undefined || event !== "cursor" || data.user_id === null) return false;
    this.#hear(data.user_id, data.payload as Cursor);
    return true;
  }

  /** Keeps and says nothing more. */
  close(): void {
    this.#waiting = undefined;
    this.#ignore?.();
    this.#listeners.clear();
    for (const user of [...this.#heard.keys()]) this.#forget(user);
  }

  #hear(user: string, to: Cursor): void {
    const now = performance.now();
    const before = this.#heard.get(user);
    clearTimeout(before?.gone);
    // From where it is drawn at this moment: it does not jump.
    this.#heard.set(user, { from: before ? this.#between(before, now) : to, to, at: now, gone: setTimeout(() => this.#forget(user), this.#lasts) });
    this.#changed();
  }

  #forget(user: string): void {
    const heard = this.#heard.get(user);
    clearTimeout(heard?.gone);
    if (this.#heard.delete(user)) this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) notify(listener);
  }

  #between({ from, to, at }: Heard, now: number): Cursor {
    const part = this.#smoothing > 0 ? Math.min(1, Math.max(0, (now - at) / this.#smoothing)) : 1;
    return { ...to, x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  }

  /** The next leaves when this one has arrived: a slow network has fewer of them, not a queue. */
  async #say(): Promise<void> {
    this.#isSaying = true;
    for (let cursor = this.#waiting; cursor; cursor = this.#waiting) {
      this.#waiting = undefined;
      const pause = new Promise(resolve => setTimeout(resolve, batch));
      await this.#client.publish(this.#topic, "cursor", cursor, { queue: false }).catch(() => { /* later it is worth nothing */ });
      await pause;
    }
    this.#isSaying = false;
  }
}

// How far this user has come in a room, which his other devices and the others learn; and what the others have of his last message.

import type { Position } from "@realtimeaspire/client";
import type { PageClient } from "../pageClient.js";
import { roomPath } from "./roomHistory.js";
import type { Receipts } from "./rows.js";

/** Milliseconds for which what is seen is gathered before it counts as read. */
const gathered = 500;
/** Milliseconds after which it is asked what has become of the last message: nobody tells of what is delivered. */
const asks = [700, 2_000, 5_000, 15_000];
const soon = 200;

export class ReadState {
  readonly #page: PageClient;
  readonly #path: string;
  readonly #me: string;
  readonly #learned: (offset: number, receipts: Receipts) => void;
  #read: Position | null = null;
  #delivered: Position | null = null;
  #toTell: { readonly position: Position; readonly isRead: boolean } | undefined;
  #telling: ReturnType<typeof setTimeout> | undefined;
  #own: number | undefined;
  #asking: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(page: PageClient, topic: string, me: string, learned: (offset: number, receipts: Receipts) => void) {
    this.#page = page;
    this.#path = roomPath(topic);
    this.#me = me;
    this.#learned = learned;
  }

  /** Everything up to there is here; `isRead`: and before somebody's eyes. */
  here(position: Position | null, isRead: boolean): void {
    // What was read is, though he looks away before it is told.
    if (this.#telling !== undefined && this.#toTell!.isRead && !isRead) this.#tell();
    const told = isRead ? this.#read : this.#delivered;
    // Offsets compare only within an epoch.
    if (!position || (told?.epoch === position.epoch && told.offset >= position.offset) || this.#page.client.state.name !== "connected") return;
    this.#toTell = { position, isRead };
    this.#telling ??= setTimeout(() => this.#tell(), gathered);
  }

  #tell(): void {
    const { position, isRead } = this.#toTell!;
    clearTimeout(this.#telling);
    this.#telling = undefined;
    if (isRead) this.#read = position;
    this.#delivered = position;
    this.#page.post(`${this.#path}/${isRead ? "read" : "delivered"}`, { offset: position.offset }).catch(() => {
      // Not told: the next message tells it again.
      this.#delivered = null;
      if (isRead) this.#read = null;
    });
  }

  /** The last message of this user's. */
  own(offset: number | undefined): void {
    if (offset === this.#own) return;
    this.#own = offset;
    this.#asked = 0;
    clearTimeout(this.#asking);
    if (offset !== undefined) this.#askIn(asks[0]!);
  }

  /** Somebody has read up to there. */
  heard(user: string, offset: number): void {
    if (user !== this.#me && this.#own !== undefined && offset >= this.#own) this.again();
  }

  /** Somebody has come, or has read: it may be more now. */
  again(): void {
    if (this.#own === undefined) return;
    this.#asked = 0;
    this.#askIn(soon);
  }

  dispose(): void {
    if (this.#telling !== undefined) this.#tell();
    clearTimeout(this.#asking);
  }

  #askIn(wait: number): void {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => void this.#ask(), wait);
  }

  async #ask(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    try {
      const receipts = await this.#page.get<Receipts>(`${this.#path}/messages/${own}/receipts`);
      if (own === this.#own) this.#learned(own, receipts);
    } catch {
      // It is said to be sent, which it is.
    }
    const next = asks[++this.#asked];
    if (own === this.#own && next !== undefined) this.#askIn(next);
  }
}

// Publishes on their way: in order per topic, one attempt per topic at a time, each until it has an answer. What waits behind
// an attempt leaves together with the next.

import { disconnected, RealtimeError } from "./errors.js";
import { notify } from "./notify.js";
import type { Outcome, PublishReply, PublishRequest } from "./wire.js";

export interface OutboxLimits {
  /** So many publishes may wait. */
  readonly count: number;
  /** Milliseconds: what could not be sent in this time is given up. Less than the 24 h for which the server remembers ids. */
  readonly age: number;
}

/** A publish that waits, as it can be stored. */
export interface OutboxItem {
  readonly request: PublishRequest & { readonly id: string };
  /** When it was published here, in milliseconds; later ones have more. */
  readonly at: number;
}

/** Keeps what waits where the end of a page or a process does not reach. What it cannot store waits in memory all the same. */
export interface OutboxStore {
  /**
   * Called once, first.
   * @param take is given what others have left behind, in the order in which it was published: before this resolves, and whenever
   * there is more. It is this outbox's from then on.
   */
  open(take: (items: readonly OutboxItem[]) => void): Promise<void>;
  put(item: OutboxItem): void;
  /** It has its outcome. */
  delete(item: OutboxItem): void;
  /** Leaves what waits to the next. */
  close(): void;
}

/** What became of a publish that an earlier page or process has left behind. */
export type LateOutcome = { readonly item: OutboxItem } & ({ readonly reply: PublishReply } | { readonly error: RealtimeError });

interface Entry extends OutboxItem {
  /** It was sent and has no answer: the server may have it. */
  attempted: boolean;
  readonly resolve: (reply: PublishReply) => void;
  readonly reject: (error: RealtimeError) => void;
}

/** One topic's. */
interface Lane {
  readonly topic: string;
  readonly entries: Entry[];
  sending: boolean;
  failed: number;
  retry: ReturnType<typeof setTimeout> | undefined;
}

export type Send = (requests: readonly PublishRequest[]) => Promise<readonly Outcome<PublishReply>[]>;

/** The most that one call carries: the server closes a connection whose message is larger than two payloads, in bytes. */
const maxBatch = 100;
const maxBatchLength = 64 * 1024;

export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #delay: (failed: number) => number;
  readonly #lanes = new Map<string, Lane>();
  readonly #store: OutboxStore | undefined;
  readonly #late: ((outcome: LateOutcome) => void) | undefined;
  readonly #changed: (() => void) | undefined;
  #send: Send | undefined;
  #count = 0;
  #lastAt = 0;
  #opening: Promise<void> | undefined;
  #opened: boolean;
  #closed: RealtimeError | undefined;

  /**
   * @param limits what may wait
   * @param delay milliseconds before an attempt that follows so many failed ones
   * @param store keeps what waits
   * @param late told what became of what others have left in the store
   * @param changed told when something waits that did not, or no longer does
   */
  constructor(
    limits: OutboxLimits, delay: (failed: number) => number, store?: OutboxStore, late?: (outcome: LateOutcome) => void, changed?: () => void,
  ) {
    this.#limits = limits;
    this.#delay = delay;
    this.#store = store;
    this.#opened = !store;
    this.#late = late;
    this.#changed = changed;
  }

  /** Takes over what others have left in the store. Nothing is sent before that is known. */
  open(): void {
    if (this.#store) this.#opening ??= this.#open();
  }

  /** How many publishes have no answer yet. */
  get count(): number {
    return this.#count;
  }

  /** Those, the oldest first. */
  get items(): readonly OutboxItem[] {
    const items = [...this.#lanes.values()].flatMap(lane => lane.entries.map(({ request, at }) => ({ request, at })));
    return items.sort((a, b) => a.at - b.at);
  }

  /** Resolves with the server's answer, whenever that comes. */
  add(request: PublishRequest & { readonly id: string }, now = Date.now()): Promise<PublishReply> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#count >= this.#limits.count) {
      return Promise.reject(new RealtimeError("outbox_full", `${this.#count} publishes wait for the connection already.`, true));
    }

    const lane = this.#lane(request.topic);
    const at = this.#lastAt = Math.max(now, this.#lastAt + 0.001);
    this.#count++;
    // The first attempt does not wait for it: without an answer the application does not count on it yet.
    this.#store?.put({ request, at });
    const answered = new Promise<PublishReply>((resolve, reject) => {
      lane.entries.push({ request, at, attempted: false, resolve, reject });
    });
    this.#changed?.();
    this.#pump(lane);
    return answered;
  }

  /** There is a connection, or there is none any more. */
  connect(send: Send | undefined): void {
    this.#send = send;
    // Before any of it is sent: the server may have forgotten the ids.
    this.expire();
    for (const lane of this.#lanes.values()) {
      lane.failed = 0;
      this.#pump(lane);
    }
  }

  /** Gives up what is too old: never sent, or sent and not answered, which nobody can say any more what became of. */
  expire(now = Date.now()): void {
    for (const lane of this.#lanes.values()) {
      while (lane.entries[0] && !lane.sending && now - lane.entries[0].at > this.#limits.age) {
        const entry = this.#remove(lane);
        entry.reject(entry.attempted
          ? new RealtimeError("unknown", "The publish was sent and not answered in time; it may have been published.", false)
          : new RealtimeError("outbox_expired", "The publish could not be sent in time.", false));
      }
    }
  }

  /** Nothing is sent any more. */
  close(error: RealtimeError): void {
    this.#closed = error;
    this.#send = undefined;
    this.#store?.close();
    for (const lane of this.#lanes.values()) {
      clearTimeout(lane.retry);
      while (lane.entries.length > 0) this.#shift(lane).reject(error);
    }
    this.#lanes.clear();
    this.#changed?.();
  }

  async #open(): Promise<void> {
    try {
      await this.#store!.open(items => this.#takeOver(items));
    } catch {
      // What waits is kept in memory, where nothing else can be had.
    }
    this.#opened = true;
    this.expire();
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  #takeOver(items: readonly OutboxItem[]): void {
    if (this.#closed) return;
    this.#count += items.length;
    const entries = items.map(item => this.#leftBehind(item));
    if (!this.#opened) {
      // Before what has been published since.
      for (const entry of entries.reverse()) this.#lane(entry.request.topic).entries.unshift(entry);
    } else {
      for (const entry of entries) {
        const lane = this.#lane(entry.request.topic);
        lane.entries.push(entry);
        this.expire();
        this.#pump(lane);
      }
    }
    if (items.length > 0) this.#changed?.();
  }

  /** Nobody waits for its answer any more, and nobody knows whether it was sent. */
  #leftBehind(item: OutboxItem): Entry {
    return {
      ...item,
      attempted: true,
      resolve: reply => notify(this.#late, { item, reply }),
      // The end of this outbox is no outcome: the next one takes it over.
      reject: error => { if (!this.#closed) notify(this.#late, { item, error }); },
    };
  }

  #lane(topic: string): Lane {
    let lane = this.#lanes.get(topic);
    if (!lane) this.#lanes.set(topic, lane = { topic, entries: [], sending: false, failed: 0, retry: undefined });
    return lane;
  }

  #pump(lane: Lane): void {
    const send = this.#send;
    if (!send || !this.#opened || lane.sending || lane.entries.length === 0) return;
    clearTimeout(lane.retry);
    lane.sending = true;
    void this.#attempt(lane, send);
  }

  async #attempt(lane: Lane, send: Send): Promise<void> {
    const batch = nextBatch(lane.entries);
    const before = batch.map(entry => entry.attempted);
    for (const entry of batch) entry.attempted = true;
    let failure: RealtimeError | undefined;
    try {
      const outcomes = await send(batch.map(entry => entry.request));
      failure = this.#settle(lane, batch, outcomes, before);
    } catch (error) {
      failure = error instanceof RealtimeError ? error : disconnected(error);
      if (!failure.retryable) this.#rejectAll(lane, batch, failure);
    }

    lane.sending = false;
    if (failure?.retryable && this.#send === send) {
      lane.retry = setTimeout(() => this.#pump(lane), Math.max(this.#delay(lane.failed++), failure.retryAfter ?? 0));
      return;
    }
    if (!failure) lane.failed = 0;
    if (lane.entries.length === 0) this.#lanes.delete(lane.topic);
    else this.#pump(lane);
  }

  /** Up to the first that may succeed later, which is returned. */
  #settle(lane: Lane, batch: readonly Entry[], outcomes: readonly Outcome<PublishReply>[], before: readonly boolean[]): RealtimeError | undefined {
    for (const [i, entry] of batch.entries()) {
      const outcome = outcomes[i];
      if (!outcome) return disconnected();
      if (outcome.reply) {
        this.#removeEntry(lane, entry)?.resolve(outcome.reply);
        continue;
      }
      const error = RealtimeError.from(outcome.error);
      if (error.retryable) {
        for (const [j, later] of batch.entries()) {
          // Not this time; but it may have been before.
          if (outcomes[j]?.error?.code === "not_attempted") later.attempted = before[j]!;
        }
        return error;
      }
      this.#removeEntry(lane, entry)?.reject(error);
    }
    return undefined;
  }

  #rejectAll(lane: Lane, batch: readonly Entry[], error: RealtimeError): void {
    for (const entry of batch) this.#removeEntry(lane, entry)?.reject(error);
  }

  #remove(lane: Lane): Entry {
    const entry = this.#shift(lane);
    this.#store?.delete(entry);
    this.#changed?.();
    return entry;
  }

  #shift(lane: Lane): Entry {
    this.#count--;
    return lane.entries.shift()!;
  }

  /** Undefined: it was given up meanwhile. */
  #removeEntry(lane: Lane, entry: Entry): Entry | undefined {
    return lane.entries[0] === entry ? this.#remove(lane) : undefined;
  }
}

function nextBatch(entries: readonly Entry[]): readonly Entry[] {
  if (entries.length === 1) return entries.slice();
  let length = 0;
  let count = 0;
  for (const { request } of entries) {
    length += new Blob([JSON.stringify(request)]).size;
    if (count > 0 && (count === maxBatch || length > maxBatchLength)) break;
    count++;
  }
  return entries.slice(0, count);
}

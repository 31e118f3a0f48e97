// Tells the server of some of the events that have arrived, so that it can say how long they take to its readers.

import type { Link } from "./link.js";
import type { Receipt, TopicEvent } from "./wire.js";

/** Milliseconds in which they are gathered. */
const interval = 1_000;
/** The server takes no more at once. */
const most = 100;

export class Receipts {
  readonly #share: number;
  #heard: { readonly event: TopicEvent; readonly at: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param share of the events, 0 to 1 */
  constructor(share: number) {
    this.#share = share;
  }

  arrived(events: readonly TopicEvent[], link: () => Link | undefined): void {
    if (this.#share === 0) return;
    for (const event of events) {
      if (this.#heard.length < most && Math.random() < this.#share) this.#heard.push({ event, at: performance.now() });
    }
    if (this.#heard.length > 0) this.#timer ??= setTimeout(() => this.#tell(link()), interval);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#heard = [];
  }

  #tell(link: Link | undefined): void {
    const now = performance.now();
    const receipts = this.#heard.map(({ event, at }): Receipt => ({
      topic: event.topic, timestamp: event.data.timestamp, delayMs: Math.round(now - at), ...(event.trace_id !== null && { trace_id: event.trace_id }),
    }));
    this.#heard = [];
    this.#timer = undefined;
    link?.receipts(receipts).catch(() => { /* some are as good as others */ });
  }
}

// Whether events came in order and each once: what the lab claims, and what a page can see for itself.

import { positionOf, type Position, type TopicEvent } from "@realtimeaspire/client";

export class OrderCheck {
  #last: Position | undefined;
  #count = 0;
  #holes = 0;
  #repeats = 0;

  /** How many events have come. */
  get count(): number {
    return this.#count;
  }

  /** How many have not that should have. */
  get holes(): number {
    return this.#holes;
  }

  /** How many have come again, or too late. */
  get repeats(): number {
    return this.#repeats;
  }

  take(event: TopicEvent): void {
    const position = positionOf(event);
    if (!position) return;
    this.#count++;
    const last = this.#last;
    if (last && last.epoch === position.epoch) {
      if (position.offset <= last.offset) {
        this.#repeats++;
        return;
      }
      this.#holes += position.offset - last.offset - 1;
    } else if (last) {
      // Another log, and nobody has said so.
      this.#holes++;
    }
    this.#last = position;
  }

  /** What lies between is gone, and the reader was told: it goes on behind this position. */
  skipTo(position: Position): void {
    this.#last = position;
  }
}

// How far one subscription has come in its topic. A value without time or network: the rules for clients of docs/protocol.md.

import type { Position, SubscribeReply, TopicEvent } from "./wire.js";

/** The position of a topic without events. */
export const origin: Position = { epoch: "", offset: 0 };

/** Where a reader is who has dealt with this event; undefined for an ephemeral one, which has no place. */
export function positionOf(event: TopicEvent): Position | undefined {
  return event.epoch === undefined || event.offset === undefined ? undefined : { epoch: event.epoch, offset: event.offset };
}

export interface Taken {
  /** Those that are new, in order. */
  readonly events: readonly TopicEvent[];
  /** Something is missing before what came: subscribe again from the position. */
  readonly hole: boolean;
}

export class Sequence {
  readonly #jumps: boolean;
  #position: Position | undefined;
  #held: TopicEvent[] | undefined = [];

  /**
   * @param position what has been read before; undefined: wherever the first reply says
   * @param jumps offsets only rise, as with `latest` and `conflate`: a jump is no hole
   */
  constructor(position: Position | undefined, jumps: boolean) {
    this.#position = position;
    this.#jumps = jumps;
  }

  /** After the last event that was taken; undefined until the first reply. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** What arrives from now on waits for a reply, which has all of what came before. */
  hold(): void {
    this.#held = [];
  }

  /** The reader is elsewhere now: it has read the state there by other means. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  /** Merges a reply with what has arrived before it. */
  reply(reply: SubscribeReply): Taken {
    const isLost = reply.recovery === "gap" || reply.recovery === "new_epoch";
    if (isLost || this.#position === undefined) {
      const first = reply.events[0];
      // A rewind begins before its first event.
      this.#position = first ? { epoch: first.epoch!, offset: first.offset! - 1 } : reply.position;
    }

    const held = reply.more ? [] : this.#held ?? [];
    if (!reply.more) this.#held = undefined;
    return this.#take([...reply.events, ...held]);
  }

  /** Events as they come. */
  arrive(events: readonly TopicEvent[]): Taken {
    if (this.#held) {
      this.#held.push(...events);
      return { events: [], hole: false };
    }
    return this.#take(events);
  }

  #take(events: readonly TopicEvent[]): Taken {
    const taken: TopicEvent[] = [];
    for (const event of events) {
      const position = positionOf(event);
      if (!position) {
        taken.push(event);
        continue;
      }

      const last = this.#position ?? origin;
      const isSameLog = last.epoch === position.epoch || (last.epoch === "" && last.offset === 0);
      if (isSameLog && position.offset <= last.offset) continue;
      if (!isSameLog || (position.offset !== last.offset + 1 && !this.#jumps)) {
        return { events: taken, hole: true };
      }
      taken.push(event);
      this.#position = position;
    }
    return { events: taken, hole: false };
  }
}

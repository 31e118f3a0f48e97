// Own changes shown at once.

import type { PublishOptions, RealtimeClient } from "./client.js";
import { newId } from "./ids.js";
import { notify } from "./notify.js";
import type { Position, PublishReply, TopicEvent } from "./wire.js";

/** What changes a state: an event of the topic, or a publish of one's own that is to become one. */
export interface Change {
  readonly id: string | null;
  readonly event: string;
  readonly entityId: string | null;
  readonly payload: unknown;
  /** It has been published here and has not come back yet. */
  readonly isPending: boolean;
}

interface Pending {
  readonly change: Change;
  /** Where the server has put it, once it has answered. */
  position?: Position | null;
}

/**
 * What a topic's events add up to, and on top of that what has been published here and is on its way: shown at once, confirmed when it
 * comes back as an event, taken back when the publish fails.
 */
export class OptimisticState<S> {
  readonly #apply: (state: S, change: Change) => S;
  readonly #listeners = new Set<(state: S) => void>();
  #confirmed: S;
  #pending: Pending[] = [];
  #value: S;

  /** @param apply the state after a change; must not change the one that it is given */
  constructor(initial: S, apply: (state: S, change: Change) => S) {
    this.#apply = apply;
    this.#confirmed = this.#value = initial;
  }

  /** With what is on its way. */
  get value(): S {
    return this.#value;
  }

  /** What is on its way, in order. */
  get pending(): readonly Change[] {
    return this.#pending.map(({ change }) => change);
  }

  /** Called at each change, until the returned function is called. */
  onChange(listener: (state: S) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The topic's next event: for `onEvent`. */
  receive({ id, event, offset = 0, epoch, data }: TopicEvent): void {
    this.#confirmed = this.#apply(this.#confirmed, { id, event, entityId: data.entity_id, payload: data.payload, isPending: false });
    this.#drop(({ change, position }) => change.id === id || isWithin(position, epoch, offset));
  }

  /** The state as it is after this position, read where events were lost: for `reload`. */
  reset(state: S, { epoch, offset }: Position): void {
    this.#confirmed = state;
    this.#drop(({ position }) => isWithin(position, epoch, offset));
  }

  /** Publishes, and shows it at once. Fails as `client.publish` does; then it is taken back. */
  async publish(client: Pick<RealtimeClient, "publish">, topic: string, event: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReply> {
    const id = options.id ?? newId();
    const pending: Pending = { change: { id, event, entityId: options.entityId ?? null, payload, isPending: true } };
    this.#pending.push(pending);
    this.#show();
    try {
      const reply = await client.publish(topic, event, payload, { ...options, id });
      pending.position = reply.position;
      // An ephemeral event is over when it is taken.
      if (!reply.position) this.#drop(one => one === pending);
      return reply;
    } catch (error) {
      this.#drop(one => one === pending);
      throw error;
    }
  }

  #drop(isOver: (pending: Pending) => boolean): void {
    this.#pending = this.#pending.filter(one => !isOver(one));
    this.#show();
  }

  #show(): void {
    this.#value = this.#pending.reduce((state, { change }) => this.#apply(state, change), this.#confirmed);
    for (const listener of [...this.#listeners]) notify(listener, this.#value);
  }
}

/** Whether it is in what has been read up to there. */
function isWithin(position: Position | null | undefined, epoch: string | undefined, offset: number): boolean {
  return !!position && position.epoch === epoch && position.offset <= offset;
}

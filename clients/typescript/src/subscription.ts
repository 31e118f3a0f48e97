// One topic's events for the application: in order, each once, across reconnects.

import { RealtimeError } from "./errors.js";
import { notify } from "./notify.js";
import { positionOf, Sequence, type Taken } from "./sequence.js";
import type { Tracing } from "./tracing.js";
import type { Control, Position, Qos, Recovery, Rewind, SubscribeReply, SubscribeRequest, TopicEvent } from "./wire.js";

/** Events between what was read and the position cannot be had. */
export interface Lost {
  readonly recovery: Extract<Recovery, "gap" | "new_epoch">;
  /** The newest event at the time: what comes next follows it. */
  readonly position: Position;
}

/** Keeps how far an application has come in its topics. */
export interface PositionStore {
  load(topic: string): Position | undefined | Promise<Position | undefined>;
  /** Called after each event that was dealt with; the next waits for it. */
  save(topic: string, position: Position): void | Promise<void>;
}

/** Where to start, and what to do with what comes. At most one of `position`, `rewind` and `consumer`; without, from now on. */
export interface SubscribeOptions<T = unknown, Event extends TopicEvent = TopicEvent<T>> {
  /** Go on after it. */
  readonly position?: Position | undefined;
  /**
   * Go on where the store says that the application has come to, and keep that there: in a browser `sessionPositions()`. An event
   * that was dealt with when the page ended may come again; to see it once, store its position together with its effect, in one
   * transaction of your own, and give it as `position` the next time.
   */
  readonly positions?: PositionStore;
  /** Begin with events of the past. */
  readonly rewind?: Rewind;
  /** Go on after what this consumer, a device of the user, has acknowledged. */
  readonly consumer?: string;
  readonly qos?: Qos;
  /** False declines the topic's ephemeral events. */
  readonly ephemeral?: boolean;
  /** What comes, as ephemeral events `presence:…`, of who is on the topic: how many, or who. The `Presence` helper makes a list of it. */
  readonly presence?: "occupancy" | "members";
  /** Called with one event at a time; the next waits until it has returned or resolved. What it throws ends the subscription. */
  readonly onEvent?: (event: Event) => void | Promise<void>;
  /**
   * Called where events were lost, after those before them: read the state that they led to. If it was read as of another
   * position than the one given, return that; read the position first, then the state.
   */
  readonly reload?: (lost: Lost) => void | Position | Promise<void | Position>;
  /** Told what became of each return to the topic. */
  readonly onRecovery?: (recovery: Recovery, position: Position) => void;
  /** Told how many events the server has left out, as `qos` says. */
  readonly onDropped?: (count: number) => void;
  /** So many events may wait for the application; then the topic is left, and joined again from there when they are dealt with. 10,000. */
  readonly maxQueued?: number;
  /** Gives up before the server has accepted, and leaves afterwards. */
  readonly signal?: AbortSignal;
}

/** Its owner does not care what its events are. */
export type AnySubscription = Subscription<any, any>;

/** What a subscription needs of its client. */
export interface SubscriptionOwner {
  /** Subscribe again, from where it is. */
  rejoin(subscription: AnySubscription): void;
  /** For now: it has too much to do. */
  pause(subscription: AnySubscription): void;
  leave(subscription: AnySubscription): void;
}

/** Iterate it once, or give an `onEvent`. */
export class Subscription<T = unknown, Event extends TopicEvent = TopicEvent<T>> implements AsyncIterable<Event> {
  readonly topic: string;
  /** Settles when it has ended: with nothing where the application has left, else with what went wrong. Never rejects. */
  readonly closed: Promise<RealtimeError | undefined>;

  readonly #owner: SubscriptionOwner;
  readonly #options: SubscribeOptions<T, Event>;
  readonly #tracing: Tracing | undefined;
  readonly #sequence: Sequence;
  readonly #maxQueued: number;
  readonly #queue: (Event | Lost)[] = [];
  #position: Position | undefined;
  #isPaused = false;
  #hasEnded = false;
  #error: RealtimeError | undefined;
  #wake: (() => void) | undefined;
  #resolveClosed!: (error: RealtimeError | undefined) => void;

  /** @internal */
  constructor(owner: SubscriptionOwner, topic: string, options: SubscribeOptions<T, Event>, tracing?: Tracing) {
    this.#owner = owner;
    this.#tracing = tracing;
    this.topic = topic;
    this.#options = options;
    this.#position = options.position;
    this.#maxQueued = options.maxQueued ?? 10_000;
    this.#sequence = new Sequence(options.position, options.qos !== undefined && options.qos.mode !== "all");
    this.closed = new Promise(resolve => { this.#resolveClosed = resolve; });
  }

  /** After the last event that the application has dealt with; undefined until there is one, or the server has said where it starts. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Leaves the topic. */
  close(): void {
    this.#owner.leave(this);
    this.end(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    try {
      yield* this.#events();
    } finally {
      this.close();
    }
    if (this.#error) throw this.#error;
  }

  #traced<R>(event: Event, handle: () => R): R {
    return event.trace_id !== null && this.#tracing?.run ? this.#tracing.run(event.trace_id, event, handle) : handle();
  }

  /** @internal Hands its events to `onEvent`, if there is one. */
  async run(): Promise<void> {
    const { onEvent } = this.#options;
    if (!onEvent) return;
    try {
      for await (const event of this.#events()) await this.#traced(event, () => onEvent(event));
    } catch (error) {
      this.#owner.leave(this);
      this.end(error instanceof RealtimeError ? error : new RealtimeError("handler_failed", "The application's handler failed.", false, { cause: error }));
    }
  }

  /** @internal From now on what arrives waits for the reply. */
  request(): SubscribeRequest {
    this.#sequence.hold();
    const { rewind, consumer, qos, ephemeral, presence } = this.#options;
    const { position } = this.#sequence;
    return {
      topic: this.topic,
      ...(position ? { position } : rewind ? { rewind } : consumer !== undefined ? { from: "cursor", consumer } : {}),
      ...(qos && { qos }),
      ...(ephemeral !== undefined && { ephemeral }),
      ...(presence && { presence }),
    };
  }

  /** @internal True: it is live; false: subscribe again. */
  joined(reply: SubscribeReply): boolean {
    const { recovery, position } = reply;
    const taken = this.#sequence.reply(reply);
    if (recovery === "gap" || recovery === "new_epoch") this.#queue.push({ recovery, position });
    else this.#position ??= this.#sequence.position;
    this.#add(taken);
    notify(this.#options.onRecovery, recovery, position);
    return !reply.more && !taken.hole;
  }

  /** @internal */
  arrive(events: readonly TopicEvent[]): void {
    // A stream cannot be told to leave them out.
    const taken = this.#sequence.arrive(this.#options.ephemeral === false ? events.filter(event => positionOf(event) || event.event.startsWith("presence:")) : events);
    this.#add(taken);
    if (taken.hole) this.#owner.rejoin(this);
  }

  /** @internal */
  control(control: Control): void {
    if (control.type === "reset") this.#owner.rejoin(this);
    else if (control.type === "dropped") notify(this.#options.onDropped, control.count ?? 0);
  }

  /** @internal */
  end(error: RealtimeError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#resolveClosed(error);
    this.#wake?.();
  }

  /** @internal It has left for a while, because too much waits for the application. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  #add(taken: Taken): void {
    this.#queue.push(...taken.events as readonly Event[]);
    this.#wake?.();
    if (this.#queue.length > this.#maxQueued && !this.#isPaused) {
      this.#isPaused = true;
      // What still comes is read again afterwards.
      this.#sequence.hold();
      this.#owner.pause(this);
    }
  }

  async *#events(): AsyncGenerator<Event, void, undefined> {
    for (let next = await this.#next(); next; next = await this.#next()) {
      if ("recovery" in next) {
        await this.#reload(next);
        continue;
      }
      yield next;
      await this.#moveTo(positionOf(next));
    }
  }

  /** So far the application has come. */
  async #moveTo(position: Position | undefined): Promise<void> {
    if (!position) return;
    this.#position = position;
    const saved = this.#options.positions?.save(this.topic, position);
    if (saved) await saved;
  }

  async #next(): Promise<Event | Lost | undefined> {
    while (this.#queue.length === 0 && !this.#hasEnded) {
      await new Promise<void>(resolve => { this.#wake = resolve; });
      this.#wake = undefined;
    }

    const next = this.#queue.shift();
    this.#goOn();
    return next;
  }

  /** Comes back, where it has left because too much waited. */
  #goOn(): void {
    if (!this.#isPaused || this.#hasEnded || this.#queue.length > this.#maxQueued / 2) return;
    this.#isPaused = false;
    this.#owner.rejoin(this);
  }

  async #reload(lost: Lost): Promise<void> {
    const state = await this.#options.reload?.(lost) ?? lost.position;
    await this.#moveTo(state);
    const isSameLog = state.epoch === lost.position.epoch;
    if (!isSameLog || state.offset < lost.position.offset) {
      // The state is older than what follows here.
      this.#queue.length = 0;
      this.#sequence.moveTo(state);
      this.#isPaused = false;
      this.#owner.rejoin(this);
      return;
    }

    // It has what waits here and what is on its way, up to its position.
    const kept = this.#queue.filter(entry => "recovery" in entry || (positionOf(entry)?.offset ?? Infinity) > state.offset);
    this.#queue.splice(0, this.#queue.length, ...kept);
    const reached = this.#sequence.position;
    if (reached?.epoch === state.epoch && reached.offset < state.offset) this.#sequence.moveTo(state);
    this.#goOn();
  }
}

// What an application works with: one client per server and user.

import { backoff, type Backoff } from "./backoff.js";
import { Calls, type CallHandler, type CallOptions, type Handling } from "./calls.js";
import { Connection } from "./connection.js";
import { disconnected, RealtimeError } from "./errors.js";
import { newId } from "./ids.js";
import type { Link, Question, Transport } from "./link.js";
import { notify } from "./notify.js";
import { settle, type ClientOptions, type Settings } from "./options.js";
import { Outbox, type OutboxItem } from "./outbox.js";
import { Receipts } from "./receipts.js";
import type { ConnectionState } from "./state.js";
import { Subscription, type AnySubscription, type SubscribeOptions, type SubscriptionOwner } from "./subscription.js";
import type { Tracing } from "./tracing.js";
import type { EventOf, PayloadOf } from "./typed.js";
import { untilSignalled, withTimeout } from "./waiting.js";
import type { Control, HistoryPage, HistoryRequest, Outcome, Position, PublishReply, SubscribeReply, TopicEvent } from "./wire.js";

export interface PublishOptions {
  /** Made here by default. The same one again is the same publish. */
  readonly id?: string;
  /** The thing the event is about. */
  readonly entityId?: string;
  /** The version of the payload's form: 1. */
  readonly v?: number;
  /** False: fails with `disconnected` where there is no connection now, as is right for what is worth nothing later. */
  readonly queue?: boolean;
  /** Stops waiting; the event may be published all the same. */
  readonly signal?: AbortSignal;
}

export interface RequestOptions {
  /** Stops waiting. */
  readonly signal?: AbortSignal;
}

const maxJoinsAtOnce = 200;

/**
 * `Events` maps the names of events to the types of their payloads, as `realtime-types` writes it from a server's events.
 *
 * @example new RealtimeClient<RealtimeEvents>("https://api.example.com", { token })
 */
export class RealtimeClient<Events extends object = object> {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #calls: Calls;
  readonly #receipts: Receipts;
  readonly #tracing: Tracing | undefined;
  readonly #sign: ClientOptions["sign"];
  readonly #reconnect: Backoff;
  readonly #answerTimeout: number;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #accepted = new WeakMap<Subscription, (error?: RealtimeError) => void>();
  readonly #refused = new WeakMap<Subscription, number>();
  readonly #joins = new Set<Subscription>();
  readonly #stateListeners = new Set<(state: ConnectionState) => void>();
  readonly #pendingListeners = new Set<() => void>();
  readonly #owner: SubscriptionOwner;
  readonly #onSubscribed: Settings["onSubscribed"];
  #link: Link | undefined;
  #isJoining = false;
  #signing: Promise<unknown> = Promise.resolve();
  #expiring: ReturnType<typeof setInterval> | undefined;

  /**
   * Does not connect yet: {@link connect} does, and the first subscribe, publish or call.
   *
   * @param url the server's address, for example `https://api.example.com`
   * @throws RealtimeError `option_invalid`
   */
  constructor(url: string, options: ClientOptions = {}) {
    const settings = settle(url, options);
    this.#reconnect = settings.reconnect;
    this.#answerTimeout = settings.answerTimeout;
    this.#tracing = settings.tracing;
    this.#onSubscribed = settings.onSubscribed;
    this.#sign = settings.sign;
    const delay = (failed: number) => backoff(this.#reconnect, failed, Math.random());
    this.#outbox = new Outbox(settings.outbox, delay, settings.store, settings.onLateOutcome, () => {
      for (const listener of [...this.#pendingListeners]) notify(listener);
    });
    this.#calls = new Calls(delay, this.#tracing);
    this.#receipts = new Receipts(settings.receipts);
    this.#owner = {
      rejoin: subscription => this.#join(subscription),
      pause: subscription => void this.#link?.unsubscribe(subscription.topic).catch(() => { /* gone with its connection */ }),
      leave: subscription => this.#leave(subscription),
    };
    this.#connection = new Connection(settings, {
      opened: link => this.#opened(link),
      lost: () => this.#lost(),
      events: events => this.#arrive(events),
      control: control => this.#obey(control),
      request: call => void this.#calls.request(call),
      state: state => { for (const listener of [...this.#stateListeners]) notify(listener, state); },
      closed: reason => this.#end(reason),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** How events come at the moment; undefined while there is no connection. */
  get transport(): Transport | undefined {
    return this.#connection.transport;
  }

  /** How many publishes have no answer yet. */
  get waiting(): number {
    return this.#outbox.count;
  }

  /** Those publishes, the oldest first: also what an earlier page or process has left behind. */
  get pending(): readonly OutboxItem[] {
    return this.#outbox.items;
  }

  /** Called when {@link pending} has changed, until the returned function is called. */
  onPending(listener: () => void): () => void {
    this.#pendingListeners.add(listener);
    return () => this.#pendingListeners.delete(listener);
  }

  /** Called at each change of state, until the returned function is called. */
  onState(listener: (state: ConnectionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Resolves when connected; fails when the client is closed. From then on it comes back by itself. */
  connect({ signal }: RequestOptions = {}): Promise<void> {
    this.#start();
    return untilSignalled(new Promise((resolve, reject) => {
      const look = ({ name, reason }: ConnectionState): boolean => {
        if (name === "connected") resolve();
        else if (name === "closed") reject(reason ?? disconnected());
        else return false;
        return true;
      };
      if (look(this.state)) return;
      const leave = this.onState(state => { if (look(state)) leave(); });
    }), signal);
  }

  /** Drops the connection and stays away until {@link connect}. Subscriptions and what waits are kept. */
  disconnect(): void {
    this.#connection.stop();
  }

  /** Tries to connect now, for example because the user asks for it. */
  retryNow(): void {
    this.#connection.wake();
  }

  /** Ends everything. What has no answer yet fails with `closed`. */
  close(): void {
    this.#connection.close(new RealtimeError("closed", "The client was closed.", false));
  }

  /**
   * Subscribes to a topic. A client has one subscription per topic; another one replaces it.
   *
   * @returns the events, once the server has accepted: nothing published after this is missed
   */
  subscribe(topic: string, options?: SubscribeOptions<unknown, EventOf<Events>>): Promise<Subscription<unknown, EventOf<Events>>>;
  /** The same, where `T` is the type of every payload. */
  subscribe<T>(topic: string, options?: SubscribeOptions<T>): Promise<Subscription<T>>;
  async subscribe(topic: string, options: SubscribeOptions<any, any> = {}): Promise<AnySubscription> {
    this.#start();
    options.signal?.throwIfAborted();
    const stored = options.position ? undefined : await options.positions?.load(topic);
    options.signal?.throwIfAborted();
    if (this.state.name === "closed") throw this.state.reason;
    const subscription: AnySubscription = new Subscription(this.#owner, topic, stored ? { ...options, position: stored } : options, this.#tracing);
    this.#subscriptions.get(topic)?.end(new RealtimeError("replaced", "Another subscription to the topic has replaced this one.", false));
    this.#subscriptions.set(topic, subscription);
    options.signal?.addEventListener("abort", () => subscription.close(), { once: true });

    const accepted = new Promise<void>((resolve, reject) => {
      this.#accepted.set(subscription, error => { if (error) reject(error); else resolve(); });
    });
    void subscription.closed.then(error => this.#settle(subscription, error ?? new RealtimeError("closed", "The subscription was closed.", false)));
    this.#join(subscription);
    await accepted;
    void subscription.run();
    return subscription;
  }

  /**
   * Publishes an event; while there is no connection it waits. Events of one topic are published in the order of these calls.
   *
   * @returns where the event is, once the server has stored it
   */
  publish<Name extends (keyof Events & string) | (string & {})>(topic: string, event: Name, payload: PayloadOf<Events, Name>, options: PublishOptions = {}): Promise<PublishReply> {
    this.#start();
    if (options.queue === false && !this.#link) return Promise.reject(disconnected());
    const { id = newId(), entityId, v } = options;
    const span = this.#tracing?.start?.("publish", topic, event);
    const request = { topic, event, payload, id, ...(entityId !== undefined && { entityId }), ...(v !== undefined && { v }), ...(span && { trace_id: span.traceparent }) };
    const published = this.#sign ? this.#signed(request, this.#sign) : this.#outbox.add(request);
    if (span) published.then(() => span.end(), (error: unknown) => span.end(error));
    return untilSignalled(published, options.signal);
  }

  /**
   * Calls a method that some client handles on the topic, `user:ada` for example for those of one user; one of them is asked, once.
   * While there is no connection it waits, up to its time-out.
   *
   * @returns the handler's answer. Without one (`call_timeout`, `handler_gone`, `disconnected`) it may have been done all the same
   */
  async call<T = unknown>(topic: string, method: string, payload: unknown = null, options: CallOptions = {}): Promise<T> {
    this.#start();
    return await this.#calls.call(topic, method, payload, options) as T;
  }

  /**
   * Handles calls of a method, across reconnects; over a WebSocket only. A client has one handler for each method of a topic; another
   * one replaces it.
   *
   * @returns once the server has accepted
   */
  async handle<T = unknown>(topic: string, method: string, handler: CallHandler<T>): Promise<Handling> {
    this.#start();
    return await this.#calls.handle(topic, method, handler);
  }

  /** A page of a topic's past. */
  history(request: HistoryRequest, { signal }: RequestOptions = {}): Promise<HistoryPage<EventOf<Events>>> {
    return untilSignalled(this.#call(link => link.history(request)), signal) as Promise<HistoryPage<EventOf<Events>>>;
  }

  /** Says that this consumer, a device of the user, has dealt with everything up to the position. */
  acknowledge(topic: string, position: Position, consumer: string, { signal }: RequestOptions = {}): Promise<void> {
    return untilSignalled(this.#call(link => link.acknowledge(topic, position, consumer)), signal);
  }

  /** What the helpers of features ask, for applications that have features of their own. */
  ask<T>(question: Question): Promise<T> {
    return this.#call(link => link.ask<T>(question));
  }

  #start(): void {
    this.#outbox.open();
    this.#expiring ??= setInterval(() => this.#outbox.expire(), 10_000);
    this.#connection.start();
  }

  async #call<T>(call: (link: Link) => Promise<T>): Promise<T> {
    if (!this.#link) throw disconnected();
    return await withTimeout(call(this.#link), this.#answerTimeout);
  }

  #opened(link: Link): void {
    this.#link = link;
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.isPaused) this.#join(subscription);
    }
    this.#outbox.connect(requests => withTimeout(link.publish(requests), this.#answerTimeout));
    this.#calls.connect(link);
  }

  #lost(): void {
    this.#link = undefined;
    this.#outbox.connect(undefined);
    this.#calls.connect(undefined);
  }

  #end(reason: RealtimeError): void {
    clearInterval(this.#expiring);
    this.#outbox.close(reason);
    this.#calls.close(reason);
    this.#receipts.close();
    for (const subscription of this.#subscriptions.values()) subscription.end(reason);
    this.#subscriptions.clear();
    this.#stateListeners.clear();
    this.#pendingListeners.clear();
  }

  #join(subscription: Subscription): void {
    this.#joins.add(subscription);
    void this.#joinAll();
  }

  /** One call at a time, for all that wait. */
  async #joinAll(): Promise<void> {
    if (this.#isJoining) return;
    this.#isJoining = true;
    // Those of one moment go together.
    await Promise.resolve();
    for (let link = this.#link; link && this.#joins.size > 0; link = this.#link) {
      const joining = [...this.#joins].slice(0, maxJoinsAtOnce);
      for (const one of joining) this.#joins.delete(one);
      await this.#joinSome(link, joining.filter(one => this.#isCurrent(one)));
    }
    this.#isJoining = false;
  }

  async #joinSome(link: Link, joining: readonly Subscription[]): Promise<void> {
    if (joining.length === 0) return;
    try {
      const outcomes = await withTimeout(link.subscribe(joining.map(one => one.request())), this.#answerTimeout);
      joining.forEach((one, i) => this.#joined(one, outcomes[i]));
    } catch (failure) {
      const error = failure instanceof RealtimeError ? failure : disconnected(failure);
      for (const one of joining) {
        if (!error.retryable) this.#endOne(one, error);
        // With a link that is gone they wait for the next, which all of them join.
        else if (this.#link === link) this.#joinLater(one);
      }
    }
  }

  #joined(subscription: Subscription, outcome: Outcome<SubscribeReply> | undefined): void {
    if (!this.#isCurrent(subscription) || !outcome) return;
    if (outcome.reply) {
      this.#refused.delete(subscription);
      // With more than may wait it goes on when the application has dealt with half of that, for which it has to be given it.
      if (subscription.joined(outcome.reply) || subscription.isPaused) this.#settle(subscription);
      else this.#joins.add(subscription);
      return;
    }

    const error = RealtimeError.from(outcome.error);
    if (error.retryable) {
      this.#joinLater(subscription);
    } else {
      this.#endOne(subscription, error);
    }
  }

  /** One after the other: they leave in the order in which they were published. */
  #signed(request: OutboxItem["request"], sign: NonNullable<ClientOptions["sign"]>): Promise<PublishReply> {
    const signed = this.#signing.then(() => sign(request));
    this.#signing = signed.catch(() => { /* told to who published it */ });
    return signed.then(signature => this.#outbox.add(signature ? { ...request, signature } : request));
  }

  #endOne(subscription: Subscription, error: RealtimeError): void {
    if (this.#isCurrent(subscription)) this.#subscriptions.delete(subscription.topic);
    subscription.end(error);
  }

  #joinLater(subscription: Subscription): void {
    const failed = this.#refused.get(subscription) ?? 0;
    this.#refused.set(subscription, failed + 1);
    setTimeout(() => { if (this.#isCurrent(subscription)) this.#join(subscription); }, backoff(this.#reconnect, failed, Math.random()));
  }

  #leave(subscription: Subscription): void {
    if (!this.#isCurrent(subscription)) return;
    this.#subscriptions.delete(subscription.topic);
    this.#link?.unsubscribe(subscription.topic).catch(() => { /* gone with its connection */ });
  }

  #settle(subscription: Subscription, error?: RealtimeError): void {
    this.#accepted.get(subscription)?.(error);
    this.#accepted.delete(subscription);
  }

  #isCurrent(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.topic) === subscription;
  }

  #arrive(events: readonly TopicEvent[]): void {
    this.#receipts.arrived(events, () => this.#link);
    // Most messages are of one topic.
    for (let from = 0, to = 1; from < events.length; from = to++) {
      const { topic } = events[from]!;
      while (to < events.length && events[to]!.topic === topic) to++;
      this.#subscriptions.get(topic)?.arrive(from === 0 && to === events.length ? events : events.slice(from, to));
    }
  }

  #obey(control: Control): void {
    const { topic, type, position } = control;
    const subscription = this.#subscriptions.get(topic ?? "");
    if (type === "subscribed" && topic && position && !subscription && this.#onSubscribed) {
      notify(this.#onSubscribed, topic, position);
    } else if (type === "unsubscribed" && subscription) {
      this.#endOne(subscription, new RealtimeError(control.code ?? "forbidden", control.reason ?? "The server has ended the subscription.", false));
    } else {
      subscription?.control(control);
    }
  }
}

// The transports for networks that let no WebSocket through. What is sent is sent by requests; what comes is streamed, or, where
// something on the way holds streams back, asked for again and again. Nothing depends on which node answers.

import { disconnected, isOfToken, RealtimeError } from "../errors.js";
import type { Link, LinkListener, Question, Transport } from "../link.js";
import type {
  CallRequest, Control, HistoryPage, HistoryRequest, Outcome, Position, PublishReply, PublishRequest, Receipt, SubscribeReply, SubscribeRequest, TopicEvent,
} from "../wire.js";
import { frames, type Frame } from "./frames.js";
import { request, send, type Door } from "./request.js";

export interface HttpSettings extends Door {
  /** Milliseconds until a stream that has not begun is given up. */
  readonly openTimeout: number;
  /** Milliseconds without anything until a stream is given up. */
  readonly silence: number;
  /** Which of `stream` and `poll` may be used. */
  readonly transports: readonly Transport[];
}

/** More than the server sends over one stream. */
const maxStreamed = 50;
/** Below what proxies allow for an address. */
const maxAddress = 4_000;
/** Seconds; less than a heartbeat, so that a waiting poll is not taken for a dead one. */
const longestPoll = 25;
/** Milliseconds between the comments with which a server shows that a quiet stream lives. */
const beat = 15_000;

export class HttpLink implements Link {
  readonly closed: Promise<RealtimeError | undefined>;
  #settings: HttpSettings;
  readonly #listener: LinkListener;
  readonly #ended = new AbortController();
  readonly #topics = new Map<string, SubscribeRequest>();
  #resolveClosed!: (reason: RealtimeError | undefined) => void;
  #streams: boolean;
  #receiving: AbortController | undefined;

  constructor(settings: HttpSettings, listener: LinkListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#streams = settings.transports.includes("stream");
    this.closed = new Promise(resolve => { this.#resolveClosed = resolve; });
  }

  get transport(): Transport {
    return this.#streams ? "stream" : "poll";
  }

  async subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Outcome<SubscribeReply>[]> {
    const outcomes = await this.#request<readonly Outcome<SubscribeReply>[]>("POST", "/topics/poll", requests);
    outcomes.forEach(({ reply }, i) => {
      const { topic, qos, presence } = requests[i]!;
      if (reply && !reply.more) this.#topics.set(topic, { topic, position: reply.position, ...(qos && { qos }), ...(presence && { presence }) });
    });
    this.#restart();
    return outcomes;
  }

  unsubscribe(topic: string): Promise<void> {
    if (this.#topics.delete(topic)) this.#restart();
    return Promise.resolve();
  }

  async publish(requests: readonly PublishRequest[]): Promise<readonly Outcome<PublishReply>[]> {
    // All are of one topic: the outbox has a lane for each.
    return await this.#request("POST", `/topics/${encodeURIComponent(requests[0]!.topic)}/events`, requests.map(({ topic: _, ...rest }) => rest));
  }

  history({ topic, after, before, limit }: HistoryRequest): Promise<HistoryPage> {
    const query = new URLSearchParams();
    if (after) query.set("after", toText(after));
    if (before) query.set("before", toText(before));
    if (limit !== undefined) query.set("limit", `${limit}`);
    return this.#request("GET", `/topics/${encodeURIComponent(topic)}/events?${query}`);
  }

  acknowledge(topic: string, position: Position, consumer: string): Promise<void> {
    return this.#request("PUT", `/topics/${encodeURIComponent(topic)}/cursors/${encodeURIComponent(consumer)}`, { position });
  }

  ask<T>({ method, path, body }: Question): Promise<T> {
    return this.#request(method, path, body);
  }

  call({ topic, method, payload, timeoutMs }: CallRequest): Promise<unknown> {
    const path = `/topics/${encodeURIComponent(topic)}/calls/${encodeURIComponent(method)}?timeoutMs=${timeoutMs}`;
    return this.#request("POST", path, payload, this.#ended.signal, timeoutMs);
  }

  receipts(receipts: readonly Receipt[]): Promise<void> {
    return this.#request("POST", "/receipts", receipts);
  }

  /** Each request has it from now on; a stream is asked for again with it. */
  refresh(token: string): Promise<void> {
    this.#settings = { ...this.#settings, token };
    this.#restart();
    return Promise.resolve();
  }

  /** Asks for what is new in all topics: if there is something, the stream has not brought it. */
  async probe(): Promise<void> {
    if (this.#topics.size === 0) await this.#request("GET", "/alive");
    else if (await this.#ask(0)) this.#restart();
  }

  close(): void {
    this.#end(undefined);
  }

  /** A token that is refused is the link's end, and the next one's beginning: what was asked for is asked for again. */
  async #request<T>(method: string, path: string, body?: unknown, signal: AbortSignal = this.#ended.signal, patience = 0): Promise<T> {
    try {
      return await request<T>(this.#settings, method, path, body, signal, patience);
    } catch (error) {
      const failure = error as RealtimeError;
      if (!isOfToken(failure)) throw failure;
      this.#end(failure);
      throw disconnected(failure);
    }
  }

  #end(reason: RealtimeError | undefined): void {
    this.#ended.abort();
    this.#receiving?.abort();
    this.#topics.clear();
    this.#resolveClosed(reason);
  }

  /** Receives from now on what the topics of this moment bring. */
  #restart(): void {
    this.#receiving?.abort();
    if (this.#ended.signal.aborted) return;
    const receiving = this.#receiving = new AbortController();
    // Changes of one moment are one change.
    setTimeout(() => void this.#receive(receiving.signal));
  }

  async #receive(stopped: AbortSignal): Promise<void> {
    try {
      while (!stopped.aborted && this.#topics.size > 0) {
        const address = this.#streamAddress();
        if (address !== undefined) await this.#stream(address, stopped);
        else await this.#ask(Math.min(longestPoll, Math.max(1, Math.floor(this.#settings.silence / 2_000) - 1)), stopped);
      }
    } catch (error) {
      const failure = error instanceof RealtimeError && (error.retryable || isOfToken(error)) ? error : disconnected(error);
      if (!stopped.aborted) this.#end(failure);
    }
  }

  /** Undefined where a poll does it. */
  #streamAddress(): string | undefined {
    if (!this.#streams || this.#topics.size > maxStreamed) return undefined;
    const query = new URLSearchParams();
    for (const { topic, position, presence } of this.#topics.values()) {
      query.append("topic", topic);
      query.append("after", toText(position!));
      query.append("presence", presence ?? "");
    }
    const address = `/topics/stream?${query}`;
    return address.length > maxAddress ? undefined : address;
  }

  async #stream(address: string, stopped: AbortSignal): Promise<void> {
    const given = new AbortController();
    let patience = setTimeout(() => given.abort(), this.#settings.openTimeout);
    const silence = Math.max(this.#settings.silence, 2 * beat);
    const heard = () => {
      clearTimeout(patience);
      patience = setTimeout(() => given.abort(), silence);
      this.#listener.heard?.();
    };
    let hasBegun = false;
    try {
      const response = await send(this.#settings, "GET", address, "text/event-stream", AbortSignal.any([stopped, given.signal]));
      if (response.body && response.headers.get("content-type")?.startsWith("text/event-stream")) {
        for await (const frame of frames(response.body, heard)) {
          hasBegun = true;
          if (stopped.aborted) return;
          this.#take(frame);
        }
      }
    } catch (error) {
      if (stopped.aborted || (error instanceof RealtimeError && (error.retryable || isOfToken(error)))) throw error;
      if (error instanceof RealtimeError) return await this.#findRefused(error, stopped);
    } finally {
      clearTimeout(patience);
    }

    // One that has never begun is held back on the way.
    if (hasBegun || !this.#settings.transports.includes("poll")) throw disconnected();
    this.#streams = false;
  }

  /** A stream is refused as a whole; a poll tells which topic it is. */
  async #findRefused(error: RealtimeError, stopped: AbortSignal): Promise<void> {
    const before = this.#topics.size;
    await this.#ask(0, stopped);
    if (this.#topics.size < before) return;
    if (!this.#settings.transports.includes("poll")) throw disconnected(error);
    this.#streams = false;
  }

  #take({ name, data }: Frame): void {
    if (name === "") {
      this.#arrive([JSON.parse(data) as TopicEvent]);
    } else if (name === "subscribed") {
      const { topics } = JSON.parse(data) as { topics: readonly SubscribeReply[] };
      for (const { topic, recovery } of topics) if (recovery === "gap" || recovery === "new_epoch") this.#reset(topic);
    } else if (name === "control") {
      const control = JSON.parse(data) as Control;
      if (control.type === "reset") this.#reset(control.topic!);
      else if (control.type === "expiring") throw new RealtimeError("token_expired", control.reason ?? "The token has expired.");
      // Subscribing again says what is the matter.
      else if (control.type === "unsubscribed") throw disconnected();
      else this.#listener.control(control);
    }
  }

  /** Asks for what is new, and waits so many seconds for it. True: there was something. */
  async #ask(wait: number, stopped?: AbortSignal): Promise<boolean> {
    const asked = [...this.#topics.values()];
    const signal = stopped ? AbortSignal.any([stopped, this.#ended.signal]) : this.#ended.signal;
    const outcomes = await this.#request<readonly Outcome<SubscribeReply>[]>("POST", `/topics/poll?wait=${wait}`, asked, signal, wait * 1000);
    this.#listener.heard?.();
    let hasNews = false;
    asked.forEach(({ topic }, i) => {
      const { reply, error } = outcomes[i]!;
      if (!this.#topics.has(topic)) return;
      if (error) {
        if (error.retryable) this.#reset(topic);
        else this.#leave(topic, { type: "unsubscribed", topic, code: error.code, reason: error.message });
      } else if (reply.recovery === "gap" || reply.recovery === "new_epoch") {
        this.#reset(topic);
      } else if (reply.events.length > 0) {
        hasNews = true;
        this.#arrive(reply.events);
      }
    });
    return hasNews;
  }

  #arrive(events: readonly TopicEvent[]): void {
    for (const { topic, epoch, offset } of events) {
      const known = this.#topics.get(topic);
      if (known && epoch !== undefined && offset !== undefined) this.#topics.set(topic, { ...known, position: { epoch, offset } });
    }
    this.#listener.events(events);
  }

  /** Whoever has subscribed does so again, and is told what became of the position. */
  #reset(topic: string): void {
    this.#leave(topic, { type: "reset", topic });
  }

  #leave(topic: string, control: Control): void {
    this.#topics.delete(topic);
    this.#listener.control(control);
  }
}

function toText({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}

// Request and reply: what other clients are asked, and what is answered here. A call is sent once at most, and never again.

import { disconnected, RealtimeError } from "./errors.js";
import type { Link } from "./link.js";
import type { Tracing } from "./tracing.js";
import { untilSignalled, withTimeout } from "./waiting.js";
import type { CallReply, IncomingCall } from "./wire.js";

export interface CallOptions {
  /** Milliseconds to wait for the answer, and for a connection before: 5,000, at most 60,000. */
  readonly timeout?: number;
  /** Stops waiting; it may be done all the same. */
  readonly signal?: AbortSignal;
}

/**
 * Answers a call with what it returns. Where it throws, the call fails with `call_failed`; with a code of the application where it
 * throws a `RealtimeError` whose code begins with `app_`.
 */
export type CallHandler<T = unknown> = (payload: T, call: IncomingCall<T>) => unknown;

/** A method that is handled here. */
export interface Handling {
  /** Settles when it has ended: with nothing where the application has ended it, else with what went wrong. Never rejects. */
  readonly closed: Promise<RealtimeError | undefined>;
  close(): void;
}

/** Beyond the server's own time-out: by then its answer would have come. */
const grace = 2_000;

interface Entry extends Handling {
  readonly topic: string;
  readonly method: string;
  readonly handler: CallHandler<any>;
  accepted(): void;
  end(error?: RealtimeError): void;
}

export class Calls {
  readonly #delay: (failed: number) => number;
  readonly #tracing: Tracing | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Set<(link: Link | RealtimeError) => void>();
  #link: Link | undefined;
  #closed: RealtimeError | undefined;

  /** @param delay milliseconds before an attempt that follows so many failed ones */
  constructor(delay: (failed: number) => number, tracing: Tracing | undefined) {
    this.#delay = delay;
    this.#tracing = tracing;
  }

  /** There is a connection, or there is none any more. */
  connect(link: Link | undefined): void {
    this.#link = link;
    if (!link) return;
    this.#tell(link);
    for (const entry of this.#entries.values()) void this.#register(entry);
  }

  close(reason: RealtimeError): void {
    this.#link = undefined;
    this.#closed = reason;
    this.#tell(reason);
    for (const entry of [...this.#entries.values()]) entry.end(reason);
  }

  async call(topic: string, method: string, payload: unknown, { timeout = 5_000, signal }: CallOptions): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    const deadline = Date.now() + timeout;
    const span = this.#tracing?.start?.("call", topic, method);
    try {
      const link = this.#link ?? await withTimeout(this.#connected(), timeout);
      const timeoutMs = Math.max(1, Math.round(deadline - Date.now()));
      const request = { topic, method, payload, timeoutMs, ...(span && { trace_id: span.traceparent }) };
      const answer = await withTimeout(untilSignalled(link.call(request), signal), timeoutMs + grace);
      span?.end();
      return answer;
    } catch (error) {
      span?.end(error);
      throw error;
    }
  }

  async handle(topic: string, method: string, handler: CallHandler<any>): Promise<Handling> {
    if (this.#closed) throw this.#closed;
    const key = keyOf(topic, method);
    let settle!: (error: RealtimeError | undefined) => void;
    const closed = new Promise<RealtimeError | undefined>(resolve => { settle = resolve; });
    let accept!: () => void;
    const accepted = new Promise<void>(resolve => { accept = resolve; });
    const entry: Entry = {
      topic, method, handler, closed,
      accepted: accept,
      end: error => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        settle(error);
      },
      close: () => {
        if (this.#entries.get(key) === entry) this.#link?.handling?.unhandle(topic, method).catch(() => { /* gone with its connection */ });
        entry.end();
      },
    };
    this.#entries.get(key)?.end(new RealtimeError("replaced", "Another handler of the method has taken this one's place.", false));
    this.#entries.set(key, entry);
    void this.#register(entry);
    const refused = await Promise.race([accepted, closed]);
    if (refused) throw refused;
    return entry;
  }

  /** Somebody calls. */
  async request(call: IncomingCall): Promise<void> {
    const link = this.#link;
    const reply = await this.#answer(call);
    // What nobody waits for any more is of no interest.
    await link?.handling?.reply(reply).catch(() => { /* the caller is told that its handler has gone */ });
  }

  async #answer(call: IncomingCall): Promise<CallReply> {
    const { callId, topic, method, trace_id, payload } = call;
    const entry = this.#entries.get(keyOf(topic, method));
    if (!entry) return { callId, error: { code: "call_failed", message: "The method is not handled here any more." } };
    const run = async () => await entry.handler(payload, call);
    try {
      const answer = trace_id && this.#tracing?.run ? await this.#tracing.run(trace_id, call, run) : await run();
      return { callId, payload: answer ?? null };
    } catch (error) {
      // What else went wrong here is nobody's business but the application's.
      return {
        callId,
        error: error instanceof RealtimeError && error.code.startsWith("app_")
          ? { code: error.code, message: error.message }
          : { code: "call_failed", message: "The handler has failed." },
      };
    }
  }

  /** Until it is accepted, refused, or over; where the transport carries no calls, with the next one that does. */
  async #register(entry: Entry): Promise<void> {
    const link = this.#link;
    for (let failed = 0; link?.handling && this.#link === link && this.#entries.get(keyOf(entry.topic, entry.method)) === entry; failed++) {
      try {
        await link.handling.handle(entry.topic, entry.method);
        return entry.accepted();
      } catch (error) {
        const failure = error instanceof RealtimeError ? error : disconnected(error);
        if (!failure.retryable) return entry.end(failure);
        await new Promise(resolve => setTimeout(resolve, this.#delay(failed)));
      }
    }
  }

  #connected(): Promise<Link> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(link => { if (link instanceof RealtimeError) reject(link); else resolve(link); });
    });
  }

  #tell(link: Link | RealtimeError): void {
    for (const told of this.#waiting) told(link);
    this.#waiting.clear();
  }
}

function keyOf(topic: string, method: string): string {
  return `${topic} ${method}`;
}

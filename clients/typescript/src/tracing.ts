// Where an application hangs its tracing, OpenTelemetry for example. The README has the few lines that this takes.

import type { IncomingCall, TopicEvent } from "./wire.js";

export interface Tracing {
  /** A publish or a call begins: a span of the application's, which the server's continues. Undefined: it is not traced. */
  start?(kind: "publish" | "call", topic: string, name: string): Span | undefined;
  /**
   * Runs what deals with an event, or answers a call, in the trace that has led to it.
   * @param traceparent W3C
   * @returns what `handler` returns
   */
  run?<T>(traceparent: string, cause: TopicEvent | IncomingCall, handler: () => T): T;
}

export interface Span {
  /** W3C, `00-…-…-01`. */
  readonly traceparent: string;
  /** It was answered, or has failed. */
  end(error?: unknown): void;
}

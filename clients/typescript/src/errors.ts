// Every failure has a stable code, of docs/errors.md or one of the client's own.

import type { ErrorBody } from "./wire.js";

/** The codes with which the same request may succeed later. A test holds them against the server's table. */
const retryable = new Set([
  "audit_unavailable", "authority_unavailable", "blocked", "call_timeout", "challenge_required", "connect_again", "disconnected", "draining",
  "handler_gone", "hook_unavailable", "internal", "locked_out", "log_unavailable", "no_handler", "nodes_unreachable", "not_attempted", "overloaded",
  "rate_limited", "slow_consumer", "slow_mode", "token_expired", "too_many_connections",
]);

/** A refusal or a failure. Programs compare `code`; the message is for people. */
export class RealtimeError extends Error {
  override readonly name = "RealtimeError";
  readonly code: string;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  /** Milliseconds after which the server asks to try again, if it does. */
  readonly retryAfter: number | undefined;

  constructor(code: string, message: string, isRetryable = retryable.has(code), options?: ErrorOptions, retryAfter?: number) {
    super(message, options);
    this.code = code;
    this.retryable = isRetryable;
    this.retryAfter = retryAfter;
  }

  /** @internal */
  static from({ code, message, retryable: isRetryable, retryAfterMs }: ErrorBody): RealtimeError {
    return new RealtimeError(code, message, isRetryable, undefined, retryAfterMs);
  }
}

/** Another token may do. */
export function isOfToken({ code }: RealtimeError): boolean {
  return code === "token_expired" || code === "token_invalid" || code === "token_required" || code === "token_revoked";
}

export function disconnected(cause?: unknown): RealtimeError {
  return new RealtimeError("disconnected", "The connection is down; try again with the same id.", true, { cause });
}

/**
 * What the hub's library throws: the server's `code: sentence` behind words of its own, or its own words alone, which are of a
 * connection that is not there or broke.
 */
export function fromHub(error: unknown): RealtimeError {
  if (error instanceof RealtimeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const match = /HubException: ([a-z][a-z0-9_]*): ([^]*)$/.exec(message);
  return match ? new RealtimeError(match[1]!, match[2]!) : disconnected(error);
}

/** Why the server has closed the connection: `code: sentence` behind the library's own words. */
export function fromClose(error: Error | undefined): RealtimeError | undefined {
  const match = /on close: ([a-z][a-z0-9_]*): ([^]*)$/.exec(error?.message ?? "");
  return match ? new RealtimeError(match[1]!, match[2]!) : undefined;
}

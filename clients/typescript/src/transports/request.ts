// One HTTP request to the server, with its errors as everywhere.

import { disconnected, RealtimeError } from "../errors.js";
import type { Breaker } from "./breaker.js";

/** Whom requests go to, and in whose name. */
export interface Door {
  readonly url: string;
  readonly token: string | undefined;
  /** Milliseconds for one answer. */
  readonly answerTimeout: number;
  readonly breaker: Breaker;
}

/** What the server answers. Fails with a `RealtimeError`: what the server said, `disconnected`, or `circuit_open`. */
export async function request<T>(door: Door, method: string, path: string, body?: unknown, signal?: AbortSignal, patience = 0): Promise<T> {
  const timeout = AbortSignal.timeout(door.answerTimeout + patience);
  try {
    return await door.breaker.pass(async () => {
      const response = await send(door, method, path, "application/json", signal ? AbortSignal.any([signal, timeout]) : timeout, body);
      return (response.status === 204 ? undefined : await response.json()) as T;
    }, signal);
  } catch (error) {
    throw error instanceof RealtimeError ? error : disconnected(error);
  }
}

/** The answer as it begins. Fails with what the server said, or with whatever `fetch` fails with. */
export async function send({ url, token }: Door, method: string, path: string, accept: string, signal: AbortSignal, body?: unknown): Promise<Response> {
  const response = await fetch(url + path, {
    method,
    headers: {
      accept,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    cache: "no-store",
    signal,
  });
  if (!response.ok) throw await toError(response);
  return response;
}

/** The server's problem; what stands before the server may answer something else. */
async function toError(response: Response): Promise<RealtimeError> {
  const wait = Number(response.headers.get("retry-after")) * 1000 || undefined;
  try {
    const { code, detail, retryable, retryAfterMs } =
      await response.json() as { code: string; detail: string; retryable: boolean; retryAfterMs?: number };
    if (code) return new RealtimeError(code, detail, retryable, undefined, retryAfterMs ?? wait);
  } catch {
    // It is none of ours.
  }
  return new RealtimeError("disconnected", `The server's address answers ${response.status}.`, true, undefined, wait);
}

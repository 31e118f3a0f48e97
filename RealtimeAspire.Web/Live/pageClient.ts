// The page's one client: it stays while the user goes from room to room, and sends what was written in one that was left.

import { newId, RealtimeClient, RealtimeError, type OutboxItem, type PublishReply } from "@realtimeaspire/client";
import { fromPayload, toPayload, type Body } from "./rooms/body.js";
import { Kept, outboxOf } from "./kept.js";
import { chatMessage } from "./rooms/room.js";
import { Session } from "./session.js";

export type Outcome = { readonly id: string; readonly event: string } & ({ readonly reply: PublishReply } | { readonly error: RealtimeError });

/** Milliseconds. Going from one room to the next keeps the connection. */
const linger = 2_000;
/** Milliseconds for an answer, and for a file. */
const patience = 10_000;
const filePatience = 60_000;

let page: PageClient | undefined;

export class PageClient {
  readonly client: RealtimeClient;
  readonly #api: string;
  readonly #session = new Session();
  readonly #user: string;
  readonly #rooms = new Map<string, (outcome: Outcome) => boolean>();
  #release: ReturnType<typeof setTimeout> | undefined;

  private constructor(api: string, user: string) {
    this.#api = api;
    this.#user = user;
    this.client = new RealtimeClient(api, {
      token: renew => this.#session.token(renew),
      outbox: {
        store: outboxOf(user),
        onLateOutcome: ({ item, ...outcome }) => this.#tell(item, outcome),
      },
    });
  }

  /** The page's, if it has one. */
  static get current(): PageClient | undefined {
    return page;
  }

  static get(api: string, user: string): PageClient {
    return page ??= new PageClient(api, user);
  }

  /**
   * A room is on the page until the returned function is called; it is told what becomes of what was written in it, and says whether it
   * has any use for it: what nobody has is kept for when it is opened again.
   */
  enter(topic: string, told: (outcome: Outcome) => boolean): () => void {
    clearTimeout(this.#release);
    this.#rooms.set(topic, told);
    void this.client.connect().catch(() => { /* its state says so */ });
    return () => {
      if (this.#rooms.get(topic) === told) this.#rooms.delete(topic);
      this.#release = setTimeout(() => this.#leave(), linger);
    };
  }

  /** Asks the API over HTTP. */
  async get<T>(path: string): Promise<T> {
    return await (await this.#fetch(path, {})).json() as T;
  }

  /** Tells the API something over HTTP. */
  async post(path: string, body: unknown): Promise<void> {
    await this.ask("POST", path, body);
  }

  /** The same by any method; with the answer, where there is one. */
  async ask<T>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T | undefined> {
    const response = await this.#fetch(path, { method, ...(body !== undefined && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }) });
    const text = await response.text();
    return text === "" ? undefined : JSON.parse(text) as T;
  }

  async blob(path: string): Promise<Blob> {
    return await (await this.#fetch(path, {}, filePatience)).blob();
  }

  /** Sends a file. `progress` is told of 0 to 1. */
  async upload<T>(path: string, file: Blob, signal: AbortSignal, progress: (done: number) => void, renew = false): Promise<T> {
    const token = await this.#session.token(renew);
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      // fetch() does not tell how far it is.
      const request = new XMLHttpRequest();
      request.open("POST", new URL(path, this.#api));
      request.setRequestHeader("authorization", `Bearer ${token}`);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.upload.addEventListener("progress", ({ loaded, total }) => progress(total > 0 ? loaded / total : 0));
      request.addEventListener("load", () => resolve({ status: request.status, text: request.responseText }));
      request.addEventListener("error", () => reject(new Error("The file could not be sent.")));
      request.addEventListener("abort", () => reject(new Error("The file was not sent.")));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(file);
    });
    if (status === 401 && !renew) return this.upload(path, file, signal, progress, true);
    if (status >= 300) throw problemOf(status, text);
    return JSON.parse(text) as T;
  }

  /** Once more with another token where this one is refused. */
  async #fetch(path: string, init: RequestInit, within = patience, renew = false): Promise<Response> {
    const authorization = `Bearer ${await this.#session.token(renew)}`;
    const response = await fetch(new URL(path, this.#api), {
      ...init, headers: { ...init.headers, accept: "application/json", authorization }, signal: AbortSignal.timeout(within),
    });
    if (response.status === 401 && !renew) return this.#fetch(path, init, within, true);
    if (!response.ok) throw problemOf(response.status, await response.text());
    return response;
  }

  send(topic: string, id: string, body: Body): void {
    this.publish({ topic, event: chatMessage, payload: toPayload(body), id });
  }

  /** Does something to a message. What becomes of it is told like that of a message. */
  act(topic: string, event: string, offset: number, payload: unknown): void {
    this.publish({ topic, event, payload, id: newId(), entityId: `${offset}` });
  }

  /** What becomes of it is told to who has entered the topic. */
  publish(request: OutboxItem["request"]): void {
    const item = { request, at: Date.now() };
    const isClosed = this.client.state.name === "closed";
    const { topic, event, payload, ...options } = request;
    this.client.publish(topic, event, payload, options).then(
      reply => this.#tell(item, { reply }),
      (error: RealtimeError) => {
        // The client's end is no outcome of what waits then: the next page sends it.
        if (isClosed || error !== this.client.state.reason) this.#tell(item, { error });
      });
  }

  #leave(): void {
    if (this.#rooms.size === 0 && this.client.waiting === 0) this.client.disconnect();
  }

  #tell({ request, at }: OutboxItem, outcome: { readonly reply: PublishReply } | { readonly error: RealtimeError }): void {
    const { topic, event, id, payload } = request;
    const isUsed = this.#rooms.get(topic)?.({ id, event, ...outcome }) ?? false;
    if (!isUsed && "error" in outcome && event === chatMessage) {
      const body = fromPayload(payload)!;
      const kept = new Kept(this.#user, topic, body.thread);
      kept.failed = [...kept.failed, { id, body, at, reason: outcome.error.message }];
    }
  }
}

/** What the server says of a request that it refuses. */
function problemOf(status: number, text: string): RealtimeError {
  try {
    const { code, detail, title, retryable } = JSON.parse(text) as { code?: string; detail?: string; title?: string; retryable?: boolean };
    return new RealtimeError(code ?? `${status}`, detail ?? title ?? `The server answered ${status}.`, retryable ?? false);
  } catch {
    return new RealtimeError(`${status}`, `The server answered ${status}.`, status >= 500);
  }
}

/** What failed may be tried again: the server has not said that it never will. */
export function mayComeBack(error: unknown): boolean {
  return (error as Partial<RealtimeError>).retryable !== false;
}

/** The client of this page, if it has one, is of no use any more. */
export function closePageClient(): void {
  page?.client.close();
}

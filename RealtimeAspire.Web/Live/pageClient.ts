// The page's one client: it stays while the user goes from room to room, and sends what was written in one that was left.

import { newId, RealtimeClient, type OutboxItem, type PublishReply, type RealtimeError } from "@realtimeaspire/client";
import { Kept, outboxOf } from "./kept.js";
import { chatMessage } from "./room.js";
import { Session } from "./session.js";

export type Outcome = { readonly id: string; readonly event: string } & ({ readonly reply: PublishReply } | { readonly error: RealtimeError });

/** Milliseconds. Going from one room to the next keeps the connection. */
const linger = 2_000;

let page: PageClient | undefined;

export class PageClient {
  readonly client: RealtimeClient;
  readonly #api: string;
  readonly #session = new Session();
  readonly #user: string;
  readonly #rooms = new Map<string, (outcome: Outcome) => void>();
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

  static get(api: string, user: string): PageClient {
    return page ??= new PageClient(api, user);
  }

  /** A room is on the page until the returned function is called; it is told what becomes of what was written in it. */
  enter(topic: string, told: (outcome: Outcome) => void): () => void {
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
    await this.#fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  }

  /** Once more with another token where this one is refused. */
  async #fetch(path: string, init: RequestInit, renew = false): Promise<Response> {
    const authorization = `Bearer ${await this.#session.token(renew)}`;
    const response = await fetch(new URL(path, this.#api), {
      ...init, headers: { ...init.headers, accept: "application/json", authorization }, signal: AbortSignal.timeout(10_000),
    });
    if (response.status === 401 && !renew) return this.#fetch(path, init, true);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  }

  send(topic: string, id: string, text: string): void {
    this.#publish({ topic, event: chatMessage, payload: { text }, id });
  }

  /** Does something to a message. What becomes of it is told like that of a message. */
  act(topic: string, event: string, offset: number, payload: unknown): void {
    this.#publish({ topic, event, payload, id: newId(), entityId: `${offset}` });
  }

  #publish(request: OutboxItem["request"]): void {
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
    const told = this.#rooms.get(topic);
    if (told) {
      told({ id, event, ...outcome });
    } else if ("error" in outcome && event === chatMessage) {
      const kept = new Kept(this.#user, topic);
      kept.failed = [...kept.failed, { id, text: (payload as { text: string }).text, at, reason: outcome.error.message }];
    }
  }
}

/** The client of this page, if it has one, is of no use any more. */
export function closePageClient(): void {
  page?.client.close();
}

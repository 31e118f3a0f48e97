// The page's one client: it stays while the user goes from room to room, and sends what was written in one that was left.

import { RealtimeClient, type OutboxItem, type PublishReply, type RealtimeError } from "@realtimeaspire/client";
import { Kept, outboxOf } from "./kept.js";
import { chatMessage } from "./room.js";
import { Session } from "./session.js";

export type Outcome = { readonly id: string } & ({ readonly reply: PublishReply } | { readonly error: RealtimeError });

/** Milliseconds. Going from one room to the next keeps the connection. */
const linger = 2_000;

let page: PageClient | undefined;

export class PageClient {
  readonly client: RealtimeClient;
  readonly #user: string;
  readonly #rooms = new Map<string, (outcome: Outcome) => void>();
  #release: ReturnType<typeof setTimeout> | undefined;

  private constructor(api: string, user: string) {
    const session = new Session();
    this.#user = user;
    this.client = new RealtimeClient(api, {
      token: renew => session.token(renew),
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

  send(topic: string, id: string, text: string): void {
    const item = { request: { topic, event: chatMessage, payload: { text }, id }, at: Date.now() };
    const isClosed = this.client.state.name === "closed";
    this.client.publish(topic, chatMessage, { text }, { id }).then(
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
    const { topic, id, payload } = request;
    const told = this.#rooms.get(topic);
    if (told) {
      told({ id, ...outcome });
    } else if ("error" in outcome) {
      const kept = new Kept(this.#user, topic);
      kept.failed = [...kept.failed, { id, text: (payload as { text: string }).text, at, reason: outcome.error.message }];
    }
  }
}

/** The client of this page, if it has one, is of no use any more. */
export function closePageClient(): void {
  page?.client.close();
}

// Who types on a topic.

import type { RealtimeClient } from "./client.js";
import { notify } from "./notify.js";
import type { Presence } from "./presence.js";
import type { TopicEvent } from "./wire.js";

/** Milliseconds for which it holds that somebody types. */
const lasts = 6_000;
/** Said again well before that is over, and no more often. */
const again = 2_500;

/**
 * Says of oneself that one types, as often as it is worth, and keeps the set of the others. Whoever has said it is in it for six
 * seconds, until he says that he has stopped or publishes something that is kept, or until he leaves, where a {@link Presence} is given.
 *
 * @example
 * const typing = new TypingUsers(client, "room:general");
 * typing.onChange(users => show(users));
 * await client.subscribe("room:general", { onEvent: event => { typing.receive(event); } });
 * input.addEventListener("input", () => typing.typed());
 */
export class TypingUsers {
  readonly #client: Pick<RealtimeClient, "publish">;
  readonly #topic: string;
  readonly #heard = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #listeners = new Set<(users: readonly string[]) => void>();
  readonly #ignore: (() => void) | undefined;
  #saidAt: number | undefined;

  /** @param presence who is there: who leaves types no more */
  constructor(client: Pick<RealtimeClient, "publish">, topic: string, presence?: Pick<Presence, "on">) {
    this.#client = client;
    this.#topic = topic;
    this.#ignore = presence?.on("left", user => this.#set(user, false));
  }

  /** Who types now, by name; oneself too, where the server says so. */
  get users(): readonly string[] {
    return [...this.#heard.keys()].sort();
  }

  /** Called when the set has changed, until the returned function is called. */
  onChange(listener: (users: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The user has typed something: call it with each key. What cannot be said is not said. */
  typed(): void {
    if (this.#saidAt !== undefined && performance.now() - this.#saidAt < again) return;
    this.#saidAt = performance.now();
    this.#say(true);
  }

  /** The user has sent what he typed, or has left it. */
  stopped(): void {
    if (this.#saidAt === undefined) return;
    this.#saidAt = undefined;
    this.#say(false);
  }

  /** The topic's next event: for `onEvent`. True: it was one of these. */
  receive({ event, offset, data }: TopicEvent): boolean {
    if (data.user_id === null) return false;
    // What he typed is here before it is told that he has stopped.
    if (offset !== undefined) this.#set(data.user_id, false);
    if (offset !== undefined || event !== "typing") return false;
    this.#set(data.user_id, (data.payload as { readonly active: boolean }).active);
    return true;
  }

  /** Keeps the set no longer, and says that the user has stopped. */
  close(): void {
    this.stopped();
    this.#ignore?.();
    this.#heard.forEach(clearTimeout);
    this.#heard.clear();
    this.#listeners.clear();
  }

  #set(user: string, isActive: boolean): void {
    const timer = this.#heard.get(user);
    clearTimeout(timer);
    if (isActive) this.#heard.set(user, setTimeout(() => this.#set(user, false), lasts));
    else this.#heard.delete(user);
    if (isActive === (timer !== undefined)) return;
    for (const listener of [...this.#listeners]) notify(listener, this.users);
  }

  #say(active: boolean): void {
    this.#client.publish(this.#topic, "typing", { active }, { queue: false }).catch(() => { /* later it is worth nothing */ });
  }
}

// Who is on a topic: a live list.

import type { RealtimeClient } from "./client.js";
import { notify } from "./notify.js";
import type { SubscribeOptions } from "./subscription.js";
import type { Occupancy, OwnPresence, PresencePage, PresentUser, TopicEvent } from "./wire.js";

interface Told {
  readonly members?: readonly PresentUser[];
  readonly users?: readonly string[] | number;
  readonly occupancy?: Occupancy;
  readonly complete?: boolean;
  readonly connections?: number;
}

/** What it needs of a client. */
type Asking = Pick<RealtimeClient, "ask">;

/** Says how the user is, and what there is to say of this connection: `active` and `data` are forgotten with it, see {@link watchActivity}. */
export function setPresence(client: Asking, own: OwnPresence): Promise<void> {
  return client.ask({ hub: "SetPresence", argument: own, method: "PUT", path: "/presence", body: own });
}

/** A page of who is on a topic, by name: those behind `after`. */
export function listPresence(client: Asking, topic: string, { after, limit = 100 }: { readonly after?: string; readonly limit?: number } = {}): Promise<PresencePage> {
  const path = `/topics/${encodeURIComponent(topic)}/presence?limit=${limit}${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`;
  return client.ask({ hub: "ListPresence", argument: { topic, after, limit }, method: "GET", path });
}

/** Told of each change, until the returned function is called. */
interface Listeners {
  readonly joined: (user: PresentUser) => void;
  readonly updated: (user: PresentUser) => void;
  /** With the name of who has gone. */
  readonly left: (user: string) => void;
  /** After any change, of the list or of how many there are. */
  readonly changed: () => void;
}

/**
 * Who is on a topic, kept up by the topic's subscription.
 *
 * @example
 * const presence = new Presence();
 * presence.on("joined", ({ user }) => console.log(`${user} is here`));
 * const room = await client.subscribe("room:general", presence.options({ onEvent: show }));
 */
export class Presence {
  readonly #users = new Map<string, PresentUser>();
  readonly #listeners: { readonly [Name in keyof Listeners]: Set<Listeners[Name]> } = { joined: new Set(), updated: new Set(), left: new Set(), changed: new Set() };
  #occupancy: Occupancy = { connections: 0, users: 0 };
  #isComplete = true;

  /** Who is there, by name. Nobody where there are too many to be told one by one: see {@link isComplete}. */
  get users(): readonly PresentUser[] {
    return [...this.#users.values()].sort((a, b) => a.user < b.user ? -1 : 1);
  }

  get occupancy(): Occupancy {
    return this.#occupancy;
  }

  /** False: the topic is large, and only how many there are is kept up. Read who by pages, {@link listPresence}. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  on<Name extends keyof Listeners>(name: Name, listener: Listeners[Name]): () => void {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  /** What has a subscription keep this up. An `onEvent` is not called with the events that do so. */
  options<T, Event extends TopicEvent = TopicEvent<T>>(options: SubscribeOptions<T, Event> = {}): SubscribeOptions<T, Event> {
    return { ...options, presence: "members", onEvent: event => this.receive(event) ? undefined : options.onEvent?.(event) };
  }

  /** The topic's next event, for who reads them by himself. True: it was one of these. */
  receive({ event, offset, data }: TopicEvent): boolean {
    // What is in a log may have such a name; the server's own is in none.
    if (offset !== undefined || data.user_id !== null || !event.startsWith("presence:")) return false;
    const told = data.payload as Told;
    if (event === "presence:occupancy") {
      this.#occupancy = told as Occupancy;
    } else {
      const members = told.members ?? [];
      const gone = event === "presence:leave" ? told.users as readonly string[]
        // After a reconnect: what is as it was has not changed.
        : event === "presence:members" ? [...this.#users.keys()].filter(user => !members.some(member => member.user === user))
        : [];
      for (const user of gone) if (this.#users.delete(user)) this.#tell("left", user);
      for (const member of members) this.#put(member);
      this.#isComplete = told.complete ?? this.#isComplete;
      this.#occupancy = told.occupancy ?? { connections: [...this.#users.values()].reduce((sum, { connections }) => sum + connections.length, 0), users: this.#users.size };
    }
    this.#tell("changed");
    return true;
  }

  #put(member: PresentUser): void {
    const before = this.#users.get(member.user);
    this.#users.set(member.user, member);
    if (!before) this.#tell("joined", member);
    else if (JSON.stringify(before) !== JSON.stringify(member)) this.#tell("updated", member);
  }

  #tell<Name extends keyof Listeners>(name: Name, ...args: Parameters<Listeners[Name]>): void {
    for (const listener of [...this.#listeners[name]]) notify(listener as (...args: unknown[]) => void, ...args);
  }
}

/**
 * Keeps said of a connection whether somebody uses it: away after so many milliseconds without a key, a pointer or a touch, and when the
 * page is hidden. Says it again, as what is said with it, when the client comes back.
 *
 * @returns what ends it, and says more of the connection
 */
export function watchActivity(
  client: Asking & Pick<RealtimeClient, "onState">, { awayAfter = 300_000, target = globalThis.document as Document | undefined }: { readonly awayAfter?: number; readonly target?: Document } = {},
): { say(own: Pick<OwnPresence, "data">): void; stop(): void } {
  let own: OwnPresence = { active: true };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (next: OwnPresence) => {
    own = { ...own, ...next };
    setPresence(client, own).catch(() => { /* said again when the client comes back; or no WebSocket carries it */ });
  };
  const seen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => say({ active: false }), awayAfter);
    if (!own.active && !target?.hidden) say({ active: true });
  };
  const hidden = () => target?.hidden ? say({ active: false }) : seen();
  const names = ["keydown", "pointerdown", "pointermove", "touchstart"] as const;
  for (const name of names) target?.addEventListener(name, seen, { passive: true });
  target?.addEventListener("visibilitychange", hidden);
  const leave = client.onState(({ name }) => { if (name === "connected") say({}); });
  seen();
  return {
    say,
    stop() {
      clearTimeout(timer);
      leave();
      for (const name of names) target?.removeEventListener(name, seen);
      target?.removeEventListener("visibilitychange", hidden);
    },
  };
}

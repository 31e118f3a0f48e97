// How people are whom the page shows, and somebody looks at. A room in which one of them is tells it at once, for as long as he is in
// it; of the others nobody tells, so they are asked for again and again, one after the other.

import type { PresenceStatus } from "@realtimeaspire/client";
import type { Found } from "./found.js";
import type { PageClient } from "../pageClient.js";

/** Milliseconds. */
const every = 10_000;
/** More than a list shows at once. */
const most = 30;

type Told = (found: Found) => void;

export class Statuses {
  readonly #ask: (user: string) => Promise<Found>;
  readonly #watched = new Map<string, Set<Told>>();
  readonly #known = new Map<string, Found>();
  /** Of a room on this page. */
  readonly #here = new Map<string, PresenceStatus>();
  #asking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRefused = false;

  constructor(ask: (user: string) => Promise<Found>) {
    this.#ask = ask;
  }

  /** Tells how somebody is, as far as it is known and whenever it changes, until the returned function is called. */
  watch(user: string, told: Told): () => void {
    const all = this.#watched.get(user) ?? new Set();
    this.#watched.set(user, all.add(told));
    const known = this.#known.get(user);
    if (known) told(known);
    this.#askIn(0);
    return () => {
      all.delete(told);
      if (all.size === 0 && this.#watched.get(user) === all) this.#watched.delete(user);
    };
  }

  known(user: string): Found | undefined {
    return this.#known.get(user);
  }

  /** In a room on this page he is so, or (without a status) is there no longer: he may be somewhere else. */
  seen(user: string, status?: PresenceStatus): void {
    if (status === undefined) {
      this.#here.delete(user);
      void this.#find(user);
    } else if (this.#here.get(user) !== status) {
      this.#here.set(user, status);
      this.#learn({ ...this.#known.get(user), user, status });
    }
  }

  /** The room is left; what it has told counts until it is known better. */
  forget(): void {
    this.#here.clear();
    this.#askIn(0);
  }

  /** All who are looked at, once more. The answer is there when the returned promise is. */
  refresh(): Promise<void> {
    return this.#asking ??= this.#round().finally(() => {
      this.#asking = undefined;
      if (this.#watched.size > 0 && !this.#isRefused) this.#askIn(every);
    });
  }

  async #round(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (globalThis.document?.hidden) return;
    const done = new Set<string>();
    // Also those who are looked at only since it began.
    for (let next = this.#next(done); next !== undefined && !this.#isRefused; next = this.#next(done)) {
      done.add(next);
      await this.#find(next);
    }
  }

  #next(done: ReadonlySet<string>): string | undefined {
    return done.size >= most ? undefined : [...this.#watched.keys()].find(user => !done.has(user) && !this.#here.has(user));
  }

  async #find(user: string): Promise<void> {
    if (!this.#watched.has(user) || this.#isRefused) return;
    try {
      const found = await this.#ask(user);
      if (!this.#here.has(user)) this.#learn(found);
    } catch (error) {
      // Whoever may not know it is not told by asking again; else it stays as it was last known.
      this.#isRefused = (error as { code?: string }).code === "forbidden";
    }
  }

  #learn(found: Found): void {
    this.#known.set(found.user, found);
    for (const told of this.#watched.get(found.user) ?? []) told(found);
  }

  #askIn(wait: number): void {
    // A round that is under way takes them along.
    if (this.#asking || this.#isRefused) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), wait);
  }
}

const all = new WeakMap<PageClient, Statuses>();

/** The page's. */
export function statusesOf(page: PageClient): Statuses {
  const known = all.get(page);
  if (known) return known;
  const { client } = page;
  const made = new Statuses(async user => {
    if (client.state.name !== "connected") throw new Error("There is no connection.");
    return page.get<Found>(`/users/${encodeURIComponent(user)}/presence`);
  });
  all.set(page, made);
  client.onState(({ name }) => { if (name === "connected") void made.refresh(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void made.refresh(); });
  return made;
}

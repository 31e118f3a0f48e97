// What the user wrote, beside what waits to be sent: kept for this tab, so that neither a reload nor a look into another room
// loses it. What waits is the client's outbox's business.

import { clearIndexedDbOutbox, indexedDbOutbox, type OutboxStore } from "@realtimeaspire/client";
import type { Body } from "./rooms/body.js";
import { labName } from "./lab/labClient.js";

const prefix = "realtime.";

/** A message that the server has refused, with its id for another try. */
export interface Failed {
  readonly id: string;
  readonly body: Body;
  readonly at: number;
  readonly reason: string;
}

/** One user's, in one room or one of its threads. */
export class Kept {
  readonly #failed: string;
  readonly #text: string;

  constructor(user: string, topic: string, thread: number | null = null) {
    const place = thread === null ? topic : `${topic} ${thread}`;
    this.#failed = `${prefix}failed ${user} ${place}`;
    this.#text = `${prefix}text ${user} ${place}`;
  }

  get failed(): readonly Failed[] {
    return JSON.parse(sessionStorage.getItem(this.#failed) ?? "[]") as Failed[];
  }

  set failed(value: readonly Failed[]) {
    set(this.#failed, value.length === 0 ? "" : JSON.stringify(value));
  }

  /** In the composer. */
  get text(): string {
    return sessionStorage.getItem(this.#text) ?? "";
  }

  set text(value: string) {
    set(this.#text, value);
  }
}

/** Where a user's messages wait. */
export function outboxOf(user: string): OutboxStore {
  return isSecureContext ? indexedDbOutbox(nameOf(user)) : tabOutbox(nameOf(user));
}

/** Whoever signs in next must not find what this user wrote. */
export async function forget(user: string): Promise<void> {
  for (const key of Object.keys(sessionStorage).filter(key => key.startsWith(prefix))) {
    sessionStorage.removeItem(key);
  }
  if (isSecureContext) await Promise.all([nameOf(user), labName(user)].map(clearIndexedDbOutbox));
}

function nameOf(user: string): string {
  return `${prefix}${user}`;
}

/** Over plain http from another machine there are no locks to say whose it is, but a tab has storage of its own. */
function tabOutbox(name: string): OutboxStore {
  type Item = Parameters<OutboxStore["put"]>[0];
  const keyOf = ({ request }: Item) => `${name} waits ${request.topic} ${request.id}`;
  return {
    async open(take) {
      const keys = Object.keys(sessionStorage).filter(key => key.startsWith(`${name} waits `));
      take(keys.map(key => JSON.parse(sessionStorage.getItem(key)!) as Item).sort((a, b) => a.at - b.at));
    },
    put: item => sessionStorage.setItem(keyOf(item), JSON.stringify(item)),
    delete: item => sessionStorage.removeItem(keyOf(item)),
    close: () => { /* it stays for the tab's next page */ },
  };
}

function set(key: string, value: string): void {
  if (value === "") sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, value);
}

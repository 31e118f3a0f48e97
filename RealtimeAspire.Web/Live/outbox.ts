// What was written and not yet confirmed, and the text in the composer: kept for this tab, so that neither a reload nor a
// look into another room loses it. The ids are kept too, so a repeat is recognised as one.

import type { Draft } from "./room.js";

const prefix = "realtime.";
/** The server recognises a repeated id for 24 h; after that nobody can say whether the message went out. */
const recognised = 24 * 60 * 60 * 1000;

export class Outbox {
  readonly #drafts: string;
  readonly #text: string;

  constructor(user: string, topic: string) {
    this.#drafts = `${prefix}drafts ${user} ${topic}`;
    this.#text = `${prefix}text ${user} ${topic}`;
  }

  load(now: number): Draft[] {
    const kept = JSON.parse(sessionStorage.getItem(this.#drafts) ?? "[]") as Draft[];
    return kept.map(draft => draft.state === "sending" && now - draft.at > recognised
      ? { ...draft, state: "failed", reason: "Nobody can say any more whether this was sent." }
      : draft);
  }

  save(drafts: readonly Draft[]): void {
    const open = drafts.filter(draft => draft.state !== "sent");
    set(this.#drafts, open.length === 0 ? "" : JSON.stringify(open));
  }

  get text(): string {
    return sessionStorage.getItem(this.#text) ?? "";
  }

  set text(value: string) {
    set(this.#text, value);
  }

  static clear(): void {
    for (const key of Object.keys(sessionStorage).filter(key => key.startsWith(prefix))) {
      sessionStorage.removeItem(key);
    }
  }
}

function set(key: string, value: string): void {
  if (value === "") sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, value);
}

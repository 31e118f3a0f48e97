// The outbox as a list: what waits, and under it what became of the last that did.

import type { OutboxItem, PublishReply, RealtimeError } from "@realtimeaspire/client";
import { element, part } from "../parts.js";

export type Answer = { readonly reply: PublishReply } | { readonly error: RealtimeError };

const shownWaiting = 6;
const shownAnswered = 6;

interface Row {
  readonly id: string;
  readonly text: string;
  readonly note: string;
  readonly state: "waiting" | "stored" | "failed";
}

export class OutboxView {
  readonly #list: HTMLElement;
  readonly #count: HTMLElement;
  readonly #empty: HTMLElement;
  #answered: Row[] = [];

  constructor(root: HTMLElement) {
    this.#list = part(root, "outbox");
    this.#count = part(root, "outbox-count");
    this.#empty = part(root, "outbox-empty");
  }

  answer({ request, at }: OutboxItem, answer: Answer): void {
    const after = `after ${age(at)}`;
    const row = "reply" in answer
      ? { note: `stored at ${answer.reply.position?.offset}${answer.reply.duplicate ? ", was there already" : ""}, ${after}`, state: "stored" as const }
      : { note: `${answer.error.code}: ${answer.error.message}`, state: "failed" as const };
    this.#answered = [{ id: request.id, text: textOf(request), ...row }, ...this.#answered].slice(0, shownAnswered);
  }

  draw(pending: readonly OutboxItem[]): void {
    const waiting = pending.slice(0, shownWaiting).map(({ request, at }): Row =>
      ({ id: request.id, text: textOf(request), note: `waits for ${age(at)}`, state: "waiting" }));
    const rows = [...waiting, ...this.#answered];
    this.#empty.hidden = rows.length > 0;
    this.#count.hidden = pending.length === 0;
    this.#count.textContent = `${pending.length} ${pending.length === 1 ? "waits" : "wait"}${pending.length > shownWaiting ? `, the oldest ${shownWaiting} below` : ""}`;
    this.#list.replaceChildren(...rows.map(draw));
  }
}

function draw({ id, text, note, state }: Row): HTMLElement {
  const row = element("li", `row ${state}`, element("span", "code", `…${id.slice(-4)}`), element("span", "row-text", text), element("span", "row-note", note));
  row.dataset["testid"] = state === "waiting" ? "lab-waiting" : "lab-outcome";
  row.dataset["state"] = state;
  row.title = id;
  return row;
}

function textOf({ payload, event }: OutboxItem["request"]): string {
  return String((payload as { text?: unknown } | null)?.text ?? event);
}

function age(at: number): string {
  const ms = Math.max(0, Date.now() - at);
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

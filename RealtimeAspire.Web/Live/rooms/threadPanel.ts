// A thread beside the room: the message that began it, what was answered, and a composer of its own.

import { backoff, type Recovery, type TopicEvent } from "@realtimeaspire/client";
import type { Aside } from "./asides.js";
import { Conversation, type Around } from "./conversation.js";
import { mayComeBack, type Outcome } from "../pageClient.js";
import { readMessage, readPast } from "./roomHistory.js";

/** Milliseconds until a thread that could not be read is asked for again, at most. */
const again = { first: 1_000, longest: 8_000 };

export class ThreadPanel {
  readonly root: number;
  readonly #around: Around;
  readonly #conversation: Conversation;
  #isClosed = false;
  /** What happens while its past is read. */
  #waiting: TopicEvent[] | undefined = [];
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(panel: HTMLElement, around: Around, root: number, show: number | undefined) {
    this.root = root;
    this.#around = around;
    this.#conversation = new Conversation(panel, { ...around, jump: offset => { if (!this.#conversation.show(offset)) around.jump(offset); } }, root);
    void this.#load(show);
    if (show === undefined) this.#conversation.focus();
  }

  show(offset: number): void {
    this.#conversation.show(offset);
  }

  receive(event: TopicEvent): void {
    if (this.#waiting) this.#waiting.push(event);
    else this.#conversation.receive(event);
  }

  lose(recovery: Extract<Recovery, "gap" | "new_epoch">): void {
    this.#conversation.lose(recovery);
    if (recovery === "gap") void this.#load(undefined);
  }

  learn(outcome: Outcome): boolean {
    return this.#conversation.learn(outcome);
  }

  offer(): void {
    this.#conversation.offer();
  }

  tell(aside: Aside): void {
    this.#conversation.tell(aside);
  }

  redraw(): void {
    this.#conversation.redraw();
  }

  dispose(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#conversation.dispose();
  }

  async #load(show: number | undefined, attempt = 0): Promise<void> {
    const { page, topic, say } = this.#around;
    clearTimeout(this.#retry);
    try {
      const [root, past] = await Promise.all([readMessage(page, topic, this.root), readPast(page, topic, show === undefined ? {} : { before: show + 25 }, this.root)]);
      if (this.#isClosed) return;
      this.#conversation.begin(root, past);
      for (const event of this.#waiting ?? []) this.#conversation.receive(event);
      this.#waiting = undefined;
      this.#conversation.opened();
      if (show !== undefined) {
        this.#conversation.draw();
        this.#conversation.show(show);
      }
    } catch (error) {
      if (this.#isClosed) return;
      if (attempt === 0) say((error as Error).message);
      if (mayComeBack(error)) this.#retry = setTimeout(() => void this.#load(show, attempt + 1), backoff(again, attempt, Math.random()));
    }
  }
}

// The pinned messages of a room, the one that was pinned last first.

import { foundItem, note } from "./foundList.js";
import { messageText } from "./messageText.js";
import type { PageClient } from "../pageClient.js";
import { button, element } from "../parts.js";
import { chatPin } from "./room.js";
import { roomPath, toMessage, type Entry } from "./roomHistory.js";

export class PinsPanel {
  readonly #page: PageClient;
  readonly #topic: string;
  readonly #me: string;
  readonly #go: (offset: number) => void;
  readonly #list = element("ol", "found-list");
  readonly #said = note("Loading…");
  #round = 0;

  constructor(body: HTMLElement, page: PageClient, topic: string, me: string, go: (offset: number) => void) {
    this.#page = page;
    this.#topic = topic;
    this.#me = me;
    this.#go = go;
    body.append(this.#said, this.#list);
    void this.refresh();
  }

  /** Something was pinned, or is not any more. */
  async refresh(): Promise<void> {
    const round = ++this.#round;
    try {
      const { messages } = await this.#page.get<{ messages: readonly Entry[] }>(`${roomPath(this.#topic)}/pins`);
      if (round !== this.#round) return;
      this.#said.textContent = messages.length === 0 ? "Nothing is pinned. Pin what everybody here should find again." : "";
      this.#list.replaceChildren(...messages.map(toMessage).map(({ offset, author, at, text, mentions }) => {
        const unpin = button("link", "unpin", `Unpin the message of ${author}`, "Unpin");
        unpin.addEventListener("click", () => this.#page.act(this.#topic, chatPin, offset, { on: false }));
        return foundItem({ offset, author, at, content: messageText(text, { mentions, me: this.#me }), tools: [unpin] }, () => this.#go(offset));
      }));
    } catch (error) {
      if (round === this.#round) this.#said.textContent = (error as Error).message;
    }
  }
}

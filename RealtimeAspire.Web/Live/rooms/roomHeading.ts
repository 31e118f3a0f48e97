// What a room is called, where its page says so.

import { part } from "../parts.js";
import type { RoomInfo } from "./roomMenu.js";

/** A room of two is called after the other. */
export function showHeading(root: HTMLElement, { kind, title, description }: RoomInfo, me: string): void {
  const isDirect = kind === "direct";
  const called = isDirect ? title.split(", ").find(name => name !== me) ?? title : title;
  const sign = isDirect ? "@" : "#";
  part(root, "title").textContent = called;
  part(root, "hash").textContent = sign;
  part<HTMLTextAreaElement>(part(root, "room"), "input").placeholder = `Message ${sign}${called}`;
  const about = part(root, "about");
  about.textContent = description;
  about.title = description;
}

/** The tab says how many messages have come since somebody looked at it. */
export class UnreadTitle {
  readonly #title = document.title;
  #unread = 0;

  came(messages: number): void {
    if (!document.hidden || messages === 0) return;
    this.#unread += messages;
    document.title = `(${this.#unread}) ${this.#title}`;
  }

  looked(): void {
    if (document.hidden || this.#unread === 0) return;
    this.#unread = 0;
    document.title = this.#title;
  }
}

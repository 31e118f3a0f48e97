// What a message that begins with a slash can say in a room, and the bots to whom it is said (docs/chat.md). The list is asked for when a
// slash is written, or a bot has to be named, for the first time; where there is none, such a message is a message.

import { newId } from "@realtimeaspire/client";
import type { PageClient } from "../pageClient.js";
import { roomPath } from "./roomHistory.js";

interface Command {
  readonly name: string;
  readonly description: string;
  readonly usage: string | null;
}

/** A bot: who it is as an author, and how it is called. */
interface Bot {
  readonly user: string;
  readonly name: string;
}

/** As what authors are called that are service keys. */
const key = "key:";

export interface CommandEvents {
  /** What became of a command. `thread`: where it was given. */
  answered(text: string, thread: number | null): void;
  /** What there is, and how bots are called, is known by now. */
  learned(): void;
}

export class Commands {
  readonly #page: PageClient;
  readonly #path: string;
  readonly #events: CommandEvents;
  #known: readonly Command[] | undefined;
  #bots: readonly Bot[] = [];

  constructor(page: PageClient, topic: string, events: CommandEvents) {
    this.#page = page;
    this.#path = `${roomPath(topic)}/commands`;
    this.#events = events;
  }

  get options(): readonly { readonly name: string; readonly detail: string }[] {
    return this.#list().map(({ name, description, usage }) => ({ name, detail: [usage, description].filter(text => text).join(" · ") }));
  }

  /** What an author is called. */
  nameOf(user: string): string {
    if (!user.startsWith(key)) return user;
    this.#list();
    return this.#bots.find(bot => bot.user === user)?.name ?? "A bot";
  }

  #list(): readonly Command[] {
    if (!this.#known) {
      this.#known = [];
      this.#page.get<{ commands: readonly Command[]; bots: readonly Bot[] }>(this.#path).then(({ commands, bots }) => {
        this.#known = commands;
        this.#bots = bots;
        this.#events.learned();
      }, () => { /* there are none */ });
    }
    return this.#known;
  }

  /** False: it is no command, but a message. */
  run(text: string, thread: number | null, refused: () => void): boolean {
    const name = /^\/([a-z0-9-]+)(?=\s|$)/.exec(text)?.[1];
    if (!this.#known?.some(command => command.name === name)) return false;
    this.#page.ask<{ reply?: string | null }>("POST", this.#path, { text, id: newId(), ...(thread !== null && { thread: `${thread}` }) }).then(
      answer => { if (answer?.reply) this.#events.answered(answer.reply, thread); },
      (error: Error) => {
        refused();
        this.#events.answered(error.message, thread);
      });
    return true;
  }
}

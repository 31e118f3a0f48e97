// A room's past, as the server has it after everything that was done to the messages (docs/chat.md).

import type { PageClient } from "./pageClient.js";
import type { Message, Reaction } from "./room.js";

const pageSize = 50;

interface Entry {
  readonly id: string;
  readonly author: string | null;
  readonly at: string;
  readonly text: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  readonly reactions: readonly { readonly emoji: string; readonly count: number; readonly users: readonly string[] }[];
}

export interface Past {
  readonly messages: readonly Omit<Message, "kind" | "generation">[];
  readonly complete: boolean;
}

export function roomPath(topic: string): string {
  return `/rooms/${encodeURIComponent(topic.slice(topic.indexOf(":") + 1))}`;
}

/** The newest messages before an offset, or all of the newest. */
export async function readPast(page: PageClient, topic: string, before: number | undefined): Promise<Past> {
  const place = before === undefined ? "" : `&before=${before}`;
  const { messages, hasBefore } = await page.get<{ messages: readonly Entry[]; hasBefore: boolean }>(`${roomPath(topic)}/messages?limit=${pageSize}${place}`);
  return { messages: messages.map(toMessage), complete: !hasBefore };
}

function toMessage({ id, author, at, text, editedAt, deletedAt, reactions }: Entry): Omit<Message, "kind" | "generation"> {
  return {
    offset: Number(id), id: `offset ${id}`, author: author ?? "", text, at: Date.parse(at),
    edited: editedAt !== null, deleted: deletedAt !== null, reactions: reactions.map(toReaction),
  };
}

function toReaction({ emoji, count, users }: Entry["reactions"][number]): Reaction {
  return { emoji, users, others: count - users.length };
}

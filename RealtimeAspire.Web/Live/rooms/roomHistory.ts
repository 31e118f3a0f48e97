// A room's past, as the server has it after everything that was done to the messages (docs/chat.md).

import { offsetOf, type FileInfo } from "./body.js";
import type { PageClient } from "../pageClient.js";
import type { Reaction, Told } from "./room.js";

const pageSize = 50;

export interface Entry {
  readonly id: string;
  readonly author: string | null;
  readonly at: string;
  readonly text: string;
  readonly replyTo: string | null;
  readonly thread: string | null;
  readonly mentions: readonly string[];
  readonly attachments: readonly FileInfo[];
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  readonly pinnedAt: string | null;
  readonly replies: number;
  readonly lastReply: string | null;
  readonly reactions: readonly { readonly emoji: string; readonly count: number; readonly users: readonly string[] }[];
}

export interface Past {
  readonly messages: readonly Told[];
  readonly hasBefore: boolean;
  readonly hasAfter: boolean;
  readonly firstUnread: number | null;
}

export type Place = Partial<Record<"before" | "after" | "around", number>> & { readonly at?: string; readonly unread?: true; readonly limit?: number };

export function roomPath(topic: string): string {
  return `/rooms/${encodeURIComponent(topic.slice(topic.indexOf(":") + 1))}`;
}

/** A page of a room, or of a thread in it; without a place the newest. */
export async function readPast(page: PageClient, topic: string, place: Place, thread: number | null = null): Promise<Past> {
  const path = thread === null ? "messages" : `messages/${thread}/thread`;
  // A thread begins with its oldest unless one asks for what is before the end of time.
  const where = thread !== null && place.before === undefined && place.after === undefined ? { ...place, before: Number.MAX_SAFE_INTEGER } : place;
  const query = new URLSearchParams(Object.entries({ limit: pageSize, ...where }).map(([name, value]) => [name, `${value}`]));
  const { messages, hasBefore, hasAfter, firstUnread } = await page.get<{ messages: readonly Entry[]; hasBefore: boolean; hasAfter: boolean; firstUnread: string | null }>(
    `${roomPath(topic)}/${path}?${query}`);
  return { messages: messages.map(toMessage), hasBefore, hasAfter, firstUnread: offsetOf(firstUnread) };
}

export async function readMessage(page: PageClient, topic: string, offset: number): Promise<Told> {
  return toMessage(await page.get<Entry>(`${roomPath(topic)}/messages/${offset}`));
}

export function toMessage({ id, author, at, text, replyTo, thread, mentions, attachments, editedAt, deletedAt, pinnedAt, replies, lastReply, reactions }: Entry): Told {
  return {
    offset: Number(id), id: `offset ${id}`, author: author ?? "", text, at: Date.parse(at), replyTo: offsetOf(replyTo), thread: offsetOf(thread), mentions, files: attachments,
    edited: editedAt !== null, deleted: deletedAt !== null, pinned: pinnedAt !== null, reactions: reactions.map(toReaction), replies, lastReply: offsetOf(lastReply) ?? 0,
  };
}

function toReaction({ emoji, count, users }: Entry["reactions"][number]): Reaction {
  return { emoji, users, others: count - users.length };
}

// A room as a value: what has come from its topic, and what this user has written that the topic has not shown yet. No clock, no
// socket, no DOM; liveRoom.ts drives it. The client gives each event once and in order.
//
// Laws (room.test.ts): lines ascend by generation and offset, and an event that comes again changes nothing; a draft is gone as soon
// as the topic shows its id, whichever of event and reply comes first; what is done to a message is what the server makes of the same
// events (docs/chat.md).

import { positionOf, type OutboxItem, type Position, type PublishReply, type Recovery, type TopicEvent } from "@realtimeaspire/client";

export const chatMessage = "chat:message";
export const chatEdit = "chat:edit";
export const chatDelete = "chat:delete";
export const chatReaction = "chat:reaction";

export interface Reaction {
  readonly emoji: string;
  /** Who, as far as it is known by name. */
  readonly users: readonly string[];
  /** How many more there were when an older page was read. */
  readonly others: number;
}

export interface Message {
  readonly kind: "message";
  readonly generation: number;
  readonly offset: number;
  readonly id: string;
  readonly author: string;
  readonly text: string;
  readonly at: number;
  readonly edited: boolean;
  /** What it said is gone. */
  readonly deleted: boolean;
  readonly reactions: readonly Reaction[];
}

/** Says between two messages that the topic could not be continued without a break. */
export interface Notice {
  readonly kind: "notice";
  readonly generation: number;
  /** Stands after the message with this offset. */
  readonly offset: number;
  readonly recovery: "gap" | "new_epoch";
}

export type Line = Message | Notice;

export interface Draft {
  /** The event's id, the same for every attempt. */
  readonly id: string;
  readonly text: string;
  readonly at: number;
  readonly state: "sending" | "sent" | "failed";
  readonly reason?: string;
  /** Of one that was sent: where its event is. */
  readonly position?: Position;
}

export interface Room {
  readonly topic: string;
  readonly me: string;
  /** After the last event that came. */
  readonly position: Position | null;
  /** Counts the topic's epochs as seen here; offsets compare only within one. */
  readonly generation: number;
  readonly lines: readonly Line[];
  /** Before the oldest line there is nothing. */
  readonly complete: boolean;
  readonly drafts: readonly Draft[];
}

export function openRoom(topic: string, me: string, drafts: readonly Draft[] = []): Room {
  return { topic, me, position: null, generation: 0, lines: [], complete: false, drafts };
}

/** Offset of the oldest message that is here. */
export function oldest(room: Room): number | undefined {
  return room.lines.find(line => line.kind === "message" && line.generation === room.generation)?.offset;
}

export function receive(room: Room, event: TopicEvent): Room {
  const position = positionOf(event);
  if (!position) return room;

  const moved = dropPassed({ ...room, position });
  const text = (event.data.payload as { text?: unknown } | null)?.text;
  if (event.event !== chatMessage || typeof text !== "string") {
    return happen(moved, event);
  }

  const message: Message = {
    kind: "message",
    generation: room.generation,
    offset: position.offset,
    id: event.id ?? `${position.epoch}:${position.offset}`,
    author: event.data.user_id ?? "",
    text,
    at: Date.parse(event.data.timestamp),
    edited: false,
    deleted: false,
    reactions: [],
  };
  const shown = { ...moved, lines: insert(room.lines, message) };
  return message.author === room.me ? discard(shown, message.id) : shown;
}

/** Something is done to a message. One that is not here, or gone, is none of this page's business; nor is what somebody else may not do. */
function happen(room: Room, { event, data }: TopicEvent): Room {
  const offset = Number(data.entity_id);
  const at = room.lines.findIndex(line => line.kind === "message" && line.generation === room.generation && line.offset === offset);
  const line = room.lines[at];
  const changed = line?.kind === "message" && !line.deleted ? after(line, event, data) : line;
  return changed === line || !changed ? room : { ...room, lines: room.lines.with(at, changed) };
}

function after(message: Message, event: string, { user_id: user, payload }: TopicEvent["data"]): Message {
  const { text, emoji, on } = (payload ?? {}) as { text?: unknown; emoji?: unknown; on?: unknown };
  switch (event) {
    case chatEdit:
      return typeof text === "string" && text !== "" && message.author === user ? { ...message, text, edited: true } : message;
    case chatDelete:
      // The server has no name: it acts for a moderator.
      return !user || message.author === user ? { ...message, text: "", deleted: true, reactions: [] } : message;
    case chatReaction:
      return user && typeof emoji === "string" && emoji !== "" && typeof on === "boolean" ? { ...message, reactions: react(message.reactions, emoji, user, on) } : message;
    default:
      return message;
  }
}

function react(reactions: readonly Reaction[], emoji: string, user: string, on: boolean): readonly Reaction[] {
  const known = reactions.find(reaction => reaction.emoji === emoji) ?? { emoji, users: [], others: 0 };
  if (known.users.includes(user) === on) return reactions;
  const users = on ? [...known.users, user] : known.users.filter(other => other !== user);
  if (!reactions.includes(known)) return [...reactions, { ...known, users }];
  return users.length + known.others === 0
    ? reactions.filter(reaction => reaction !== known)
    : reactions.map(reaction => (reaction === known ? { ...known, users } : reaction));
}

/** A page of the past, read from the server. `complete`: there is nothing before it. */
export function unfold(room: Room, messages: readonly Omit<Message, "kind" | "generation">[], complete: boolean): Room {
  const lines = messages.map(message => ({ kind: "message" as const, generation: room.generation, ...message }));
  return { ...room, complete, lines: lines.reduce<readonly Line[]>(insert, room.lines) };
}

/** Events are gone for good: the newest are asked for anew, and stand behind a line that says so. */
export function lose(room: Room, recovery: Extract<Recovery, "gap" | "new_epoch">): Room {
  const generation = recovery === "new_epoch" ? room.generation + 1 : room.generation;
  const offset = recovery === "new_epoch" ? 0 : room.position?.offset ?? 0;
  const notice: Notice = { kind: "notice", generation, offset, recovery };
  return { ...room, generation, position: null, complete: recovery === "new_epoch" || room.complete, lines: insert(room.lines, notice) };
}

export function write(room: Room, id: string, text: string, at: number): Room {
  return { ...room, drafts: [...room.drafts, { id, text, at, state: "sending" }] };
}

/** What waits in the outbox and was not written on this page, but on one that has ended. */
export function takeOver(room: Room, waiting: readonly OutboxItem[]): Room {
  const ours = waiting.filter(({ request }) =>
    request.topic === room.topic && request.event === chatMessage && !room.drafts.some(draft => draft.id === request.id));
  return ours.reduce(
    (taken, { request, at }) => write(taken, request.id, (request.payload as { text: string }).text, at),
    room);
}

export function confirm(room: Room, id: string, reply: PublishReply): Room {
  return dropPassed(change(room, id, ({ text, at }) => ({ id, text, at, state: "sent", ...(reply.position && { position: reply.position }) })));
}

export function fail(room: Room, id: string, reason: string): Room {
  return change(room, id, draft => ({ ...draft, state: "failed", reason }));
}

export function retry(room: Room, id: string): Room {
  return change(room, id, ({ text, at }) => ({ id, text, at, state: "sending" }));
}

export function discard(room: Room, id: string): Room {
  return { ...room, drafts: room.drafts.filter(draft => draft.id !== id) };
}

/** Forgets the oldest lines, so that a page left open does not grow without end. */
export function trim(room: Room, keep: number): Room {
  return room.lines.length <= keep ? room : { ...room, complete: false, lines: room.lines.slice(-keep) };
}

/** A repeat of something older than what is on screen: its event will not come again. */
function dropPassed(room: Room): Room {
  const { position } = room;
  const isPassed = (draft: Draft) => draft.state === "sent" && draft.position !== undefined && position !== null
    && draft.position.epoch === position.epoch && draft.position.offset <= position.offset;
  return room.drafts.some(isPassed) ? { ...room, drafts: room.drafts.filter(draft => !isPassed(draft)) } : room;
}

function insert(lines: readonly Line[], line: Line): readonly Line[] {
  let at = lines.length;
  while (at > 0 && compare(lines[at - 1]!, line) > 0) at--;
  return at > 0 && compare(lines[at - 1]!, line) === 0 ? lines : [...lines.slice(0, at), line, ...lines.slice(at)];
}

function compare(a: Line, b: Line): number {
  return a.generation - b.generation || a.offset - b.offset || rank(a) - rank(b);
}

function rank(line: Line): number {
  return line.kind === "message" ? 0 : 1;
}

function change(room: Room, id: string, to: (draft: Draft) => Draft): Room {
  return { ...room, drafts: room.drafts.map(draft => (draft.id === id ? to(draft) : draft)) };
}

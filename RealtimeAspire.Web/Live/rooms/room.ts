// A room, or one of its threads, as a value: what has come from its topic, and what this user has written that the topic has not shown
// yet. No clock, no socket, no DOM; conversation.ts drives it. The client gives each event once and in order.
//
// Laws (room.test.ts): lines ascend by generation and offset, and an event that comes again changes nothing; a draft is gone as soon
// as the topic shows its id, whichever of event and reply comes first, and does not come back; what is done to a message is what the server
// makes of the same events (docs/chat.md); wherever in the past the window is, nothing is missing between its lines, and what comes
// meanwhile is not lost.

import { positionOf, type OutboxItem, type Position, type PublishReply, type Recovery, type TopicEvent } from "@realtimeaspire/client";
import { fromPayload, type Body, type FileInfo } from "./body.js";
import * as window from "./window.js";

export const chatMessage = "chat:message";
export const chatEdit = "chat:edit";
export const chatDelete = "chat:delete";
export const chatReaction = "chat:reaction";
export const chatPin = "chat:pin";
export const chatRead = "chat:read";

export interface Reaction {
  readonly emoji: string;
  /** Who, as far as it is known by name. */
  readonly users: readonly string[];
  /** How many more there were when an older page was read. */
  readonly others: number;
}

export interface Message extends Body {
  readonly kind: "message";
  readonly generation: number;
  readonly offset: number;
  readonly id: string;
  readonly author: string;
  readonly at: number;
  readonly edited: boolean;
  /** What it said is gone. */
  readonly deleted: boolean;
  readonly pinned: boolean;
  readonly reactions: readonly Reaction[];
  /** How many messages its thread has, and the newest that is counted. */
  readonly replies: number;
  readonly lastReply: number;
}

/** As a page of the past has it. */
export type Told = Omit<Message, "kind" | "generation">;

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
  readonly body: Body;
  readonly at: number;
  readonly state: "sending" | "sent" | "failed";
  readonly reason?: string;
  /** Of one that was sent: where its event is. */
  readonly position?: Position;
}

export interface Room extends window.Window {
  readonly topic: string;
  readonly me: string;
  /** The message whose thread this is; null: the room itself. */
  readonly thread: number | null;
  /** After the last event that came. */
  readonly position: Position | null;
  /** Counts the topic's epochs as seen here; offsets compare only within one. */
  readonly generation: number;
  readonly drafts: readonly Draft[];
  /** Ids of what was ever a draft, or has come of this user's: it may wait for its reply a little longer. */
  readonly known: ReadonlySet<string>;
}

export function openRoom(topic: string, me: string, drafts: readonly Draft[] = [], thread: number | null = null): Room {
  return { topic, me, thread, position: null, generation: 0, lines: [], complete: false, ahead: null, drafts, known: new Set(drafts.map(({ id }) => id)) };
}

/** Offset of the oldest message that is here. */
export function oldest(room: Room): number | undefined {
  return room.lines.find(line => line.kind === "message" && line.generation === room.generation && line.offset !== room.thread)?.offset;
}

export function newest(room: Room): number | undefined {
  return room.lines.findLast(line => line.kind === "message" && line.generation === room.generation)?.offset;
}

export function find(room: Room, offset: number): Message | undefined {
  const isIt = (line: Line): line is Message => line.kind === "message" && line.generation === room.generation && line.offset === offset;
  return room.lines.find(isIt) ?? room.ahead?.lines.find(isIt);
}

export function receive(room: Room, event: TopicEvent): Room {
  const position = positionOf(event);
  if (!position) return room;

  const moved = dropPassed({ ...room, position });
  const body = event.event === chatMessage ? fromPayload(event.data.payload) : undefined;
  if (!body) return happen(moved, event);
  if (body.thread !== room.thread) {
    return body.thread === null ? moved : window.change(moved, room.generation, body.thread, root => answered(root, position.offset));
  }

  const message: Message = {
    kind: "message",
    generation: room.generation,
    offset: position.offset,
    id: event.id ?? `${position.epoch}:${position.offset}`,
    author: event.data.user_id ?? "",
    ...body,
    at: Date.parse(event.data.timestamp),
    edited: false,
    deleted: false,
    pinned: false,
    reactions: [],
    replies: 0,
    lastReply: 0,
  };
  const shown = window.append(moved, message);
  return message.author === room.me ? discard(remember(shown, message.id), message.id) : shown;
}

function answered(root: Message, offset: number): Message {
  return offset <= root.lastReply ? root : { ...root, replies: root.replies + 1, lastReply: offset };
}

/** Something is done to a message. One that is not here, or gone, is none of this page's business; nor is what somebody else may not do. */
function happen(room: Room, { event, data }: TopicEvent): Room {
  return window.change(room, room.generation, Number(data.entity_id), message => (message.deleted ? message : after(message, event, data)));
}

function after(message: Message, event: string, { user_id: user, payload }: TopicEvent["data"]): Message {
  const { text, mentions, emoji, on } = (payload ?? {}) as { text?: unknown; mentions?: unknown; emoji?: unknown; on?: unknown };
  switch (event) {
    case chatEdit:
      return typeof text === "string" && text !== "" && message.author === user
        ? { ...message, text, mentions: fromPayload({ text, mentions })!.mentions, edited: true } : message;
    case chatDelete:
      // The server has no name: it acts for a moderator.
      return !user || message.author === user ? { ...message, text: "", deleted: true, pinned: false, mentions: [], files: [], reactions: [] } : message;
    case chatReaction:
      return user && typeof emoji === "string" && emoji !== "" && typeof on === "boolean" ? { ...message, reactions: react(message.reactions, emoji, user, on) } : message;
    case chatPin:
      return typeof on === "boolean" && on !== message.pinned ? { ...message, pinned: on } : message;
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
export function unfold(room: Room, messages: readonly Told[], complete: boolean): Room {
  return { ...room, ...window.before(room, lines(room, messages), complete) };
}

/** What came after the newest of a window in the past. `hasAfter`: and there is more. */
export function follow(room: Room, messages: readonly Told[], hasAfter: boolean): Room {
  return { ...room, ...window.after(room, lines(room, messages), hasAfter) };
}

/** From now on the window is around some message. */
export function moveTo(room: Room, messages: readonly Told[], hasBefore: boolean, hasAfter: boolean): Room {
  return { ...room, ...window.around(room, lines(room, messages), hasBefore, hasAfter) };
}

export function toNewest(room: Room): Room {
  return { ...room, ...window.toNewest(room) };
}

function lines(room: Room, messages: readonly Told[]): Message[] {
  return messages.map(message => ({ kind: "message", generation: room.generation, ...message }));
}

/** The events do not say what a message's files are, nor that an answer is gone: the server does. */
export function describe(room: Room, messages: readonly Told[]): Room {
  return messages.reduce<Room>(
    (described, { offset, files, replies, lastReply }) => window.change(described, room.generation, offset, message => ({ ...message, files: message.deleted ? [] : files, replies, lastReply })),
    room);
}

/** Messages of which only the ids of their files are known. */
export function undescribed(room: Room): readonly number[] {
  return room.lines.flatMap(line => (line.kind === "message" && line.generation === room.generation && line.files.some(({ type }) => type === "") ? [line.offset] : []));
}

/** The user knows the files that he has just uploaded himself. */
export function know(room: Room, files: ReadonlyMap<string, FileInfo>): Room {
  const offsets = undescribed(room);
  return offsets.reduce<Room>(
    (known, offset) => window.change(known, room.generation, offset, message => ({ ...message, files: message.files.map(file => files.get(file.id) ?? file) })), room);
}

/** Events are gone for good: the newest are asked for anew, and stand behind a line that says so. */
export function lose(room: Room, recovery: Extract<Recovery, "gap" | "new_epoch">): Room {
  const generation = recovery === "new_epoch" ? room.generation + 1 : room.generation;
  const offset = recovery === "new_epoch" ? 0 : room.position?.offset ?? 0;
  const notice: Notice = { kind: "notice", generation, offset, recovery };
  const { complete, ...newest } = toNewest(room);
  return { ...window.append(newest as Room, notice), generation, position: null, complete: recovery === "new_epoch" || complete };
}

export function write(room: Room, id: string, body: Body, at: number): Room {
  return remember({ ...room, drafts: [...room.drafts, { id, body, at, state: "sending" }] }, id);
}

/** What waits in the outbox and was not written on this page, but on one that has ended. */
export function takeOver(room: Room, waiting: readonly OutboxItem[]): Room {
  return waiting.reduce<Room>((taken, { request, at }) => {
    const body = request.topic === room.topic && request.event === chatMessage ? fromPayload(request.payload) : undefined;
    return body?.thread !== room.thread || taken.known.has(request.id) ? taken : write(taken, request.id, body, at);
  }, room);
}

export function confirm(room: Room, id: string, reply: PublishReply): Room {
  return dropPassed(change(room, id, ({ body, at }) => ({ id, body, at, state: "sent", ...(reply.position && { position: reply.position }) })));
}

export function fail(room: Room, id: string, reason: string): Room {
  return change(room, id, draft => ({ ...draft, state: "failed", reason }));
}

export function retry(room: Room, id: string): Room {
  return change(room, id, ({ body, at }) => ({ id, body, at, state: "sending" }));
}

export function discard(room: Room, id: string): Room {
  return { ...room, drafts: room.drafts.filter(draft => draft.id !== id) };
}

/** Forgets lines at the end that is not looked at, so that a page left open does not grow without end. They are read again when they are wanted. */
export function trim(room: Room, keep: number, end: "oldest" | "newest" = "oldest"): Room {
  return room.lines.length <= keep ? room : { ...room, ...(end === "oldest" ? window.withoutOldest(room, keep) : window.withoutNewest(room, keep)) };
}

function remember(room: Room, id: string): Room {
  return room.known.has(id) ? room : { ...room, known: new Set(room.known).add(id) };
}

/** A repeat of something older than what is on screen: its event will not come again. */
function dropPassed(room: Room): Room {
  const { position } = room;
  const isPassed = (draft: Draft) => draft.state === "sent" && draft.position !== undefined && position !== null
    && draft.position.epoch === position.epoch && draft.position.offset <= position.offset;
  return room.drafts.some(isPassed) ? { ...room, drafts: room.drafts.filter(draft => !isPassed(draft)) } : room;
}

function change(room: Room, id: string, to: (draft: Draft) => Draft): Room {
  return { ...room, drafts: room.drafts.map(draft => (draft.id === id ? to(draft) : draft)) };
}

// A room as a value: what has come from its topic, and what this user has written that the topic has not shown yet. No clock, no
// socket, no DOM; liveRoom.ts drives it. The client gives each event once and in order.
//
// Laws (room.test.ts): lines ascend by generation and offset, and an event that comes again changes nothing; a draft is gone as soon
// as the topic shows its id, whichever of event and reply comes first.

import { positionOf, type OutboxItem, type Position, type PublishReply, type Recovery, type TopicEvent } from "@realtimeaspire/client";

export const chatMessage = "chat:message";

export interface Message {
  readonly kind: "message";
  readonly generation: number;
  readonly offset: number;
  readonly id: string;
  readonly author: string;
  readonly text: string;
  readonly at: number;
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
  readonly drafts: readonly Draft[];
}

export function openRoom(topic: string, me: string, drafts: readonly Draft[] = []): Room {
  return { topic, me, position: null, generation: 0, lines: [], drafts };
}

export function receive(room: Room, event: TopicEvent): Room {
  const position = positionOf(event);
  if (!position) return room;

  const moved = dropPassed({ ...room, position });
  const text = (event.data.payload as { text?: unknown } | null)?.text;
  if (event.event !== chatMessage || typeof text !== "string") {
    return moved;
  }

  const message: Message = {
    kind: "message",
    generation: room.generation,
    offset: position.offset,
    id: event.id ?? `${position.epoch}:${position.offset}`,
    author: event.data.user_id ?? "",
    text,
    at: Date.parse(event.data.timestamp),
  };
  const shown = { ...moved, lines: insert(room.lines, message) };
  return message.author === room.me ? discard(shown, message.id) : shown;
}

/** Events are gone for good: the newest are asked for anew, and stand behind a line that says so. */
export function lose(room: Room, recovery: Extract<Recovery, "gap" | "new_epoch">): Room {
  const generation = recovery === "new_epoch" ? room.generation + 1 : room.generation;
  const offset = recovery === "new_epoch" ? 0 : room.position?.offset ?? 0;
  const notice: Notice = { kind: "notice", generation, offset, recovery };
  return { ...room, generation, position: null, lines: insert(room.lines, notice) };
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
  return room.lines.length <= keep ? room : { ...room, lines: room.lines.slice(-keep) };
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

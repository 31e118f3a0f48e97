// A room as a value: what has been merged from its topic, and what this user has written that the topic has not shown
// yet. No clock, no socket, no DOM; liveRoom.ts drives it.
//
// Laws (room.test.ts): merging is idempotent; lines ascend by offset; while live, the position is the offset of the last
// event merged, and no event is merged past a hole; a draft is gone as soon as the topic shows its id, whichever of event
// and reply comes first.

import type { Position, PublishReply, SubscribeReply, SubscribeRequest, TopicEvent } from "./wire.js";

export const chatMessage = "chat:message";
const rewindCount = 50;

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
}

export interface Room {
  readonly topic: string;
  readonly me: string;
  /** Null before the first reply and after a break: the next subscribe rewinds. */
  readonly position: Position | null;
  /** While a subscribe is under way, events are kept in the buffer. */
  readonly joining: boolean;
  readonly buffer: readonly TopicEvent[];
  /** Counts the topic's epochs as seen here; offsets compare only within one. */
  readonly generation: number;
  readonly lines: readonly Line[];
  readonly drafts: readonly Draft[];
}

/** What the driver does next: nothing, or subscribe (again) with `request`. */
export interface Step {
  readonly room: Room;
  readonly next: "live" | "subscribe";
}

export function openRoom(topic: string, me: string, drafts: readonly Draft[] = []): Room {
  return { topic, me, position: null, joining: true, buffer: [], generation: 0, lines: [], drafts };
}

export function request(room: Room): SubscribeRequest {
  return room.position
    ? { topic: room.topic, position: room.position }
    : { topic: room.topic, rewind: { count: rewindCount } };
}

export function join(room: Room): Room {
  return { ...room, joining: true };
}

/** Takes the reply of a subscribe, then what arrived while it was under way. */
export function joined(room: Room, reply: SubscribeReply): Step {
  if (reply.recovery === "gap" || reply.recovery === "new_epoch") {
    return { room: broken(room, reply.recovery), next: "subscribe" };
  }

  let next = room;
  for (const event of ascending(reply.events)) {
    if (next.position?.epoch === event.epoch && event.offset! <= next.position!.offset) continue;
    next = merged(next, event);
  }
  if (reply.more) {
    return { room: next, next: "subscribe" };
  }

  const { buffer } = next;
  return receive({ ...next, position: furthest(next.position, reply.position), joining: false, buffer: [] }, buffer);
}

/** Takes events as they come. On a hole the rest waits in the buffer for a subscribe from the position. */
export function receive(room: Room, events: readonly TopicEvent[]): Step {
  const logged = events.filter(event => event.offset !== undefined);
  if (room.joining) {
    return { room: { ...room, buffer: [...room.buffer, ...logged] }, next: "live" };
  }

  let next = room;
  const queue = ascending(logged);
  for (const [index, event] of queue.entries()) {
    const position = next.position!;
    const begins = position.offset === 0 && position.epoch === "";
    if (!begins && event.epoch === position.epoch && event.offset! <= position.offset) continue;

    const follows = event.offset === position.offset + 1 && (begins || event.epoch === position.epoch);
    if (!follows) {
      return { room: { ...next, joining: true, buffer: queue.slice(index) }, next: "subscribe" };
    }
    next = merged(next, event);
  }
  return { room: next, next: "live" };
}

export function write(room: Room, id: string, text: string, at: number): Room {
  return { ...room, drafts: [...room.drafts, { id, text, at, state: "sending" }] };
}

export function confirm(room: Room, id: string, reply: PublishReply): Room {
  const { position } = room;
  // A repeat of something older than what is on screen: its event will not come again.
  const passed = !room.joining && reply.position !== null && position !== null
    && reply.position.epoch === position.epoch && reply.position.offset <= position.offset;
  return passed ? discard(room, id) : change(room, id, draft => ({ id, text: draft.text, at: draft.at, state: "sent" }));
}

export function fail(room: Room, id: string, reason: string): Room {
  return change(room, id, draft => ({ ...draft, state: "failed", reason }));
}

export function retry(room: Room, id: string): Room {
  return change(room, id, draft => ({ id, text: draft.text, at: draft.at, state: "sending" }));
}

export function discard(room: Room, id: string): Room {
  return { ...room, drafts: room.drafts.filter(draft => draft.id !== id) };
}

/** Forgets the oldest lines, so that a page left open does not grow without end. */
export function trim(room: Room, keep: number): Room {
  return room.lines.length <= keep ? room : { ...room, lines: room.lines.slice(-keep) };
}

function broken(room: Room, recovery: Notice["recovery"]): Room {
  const generation = recovery === "new_epoch" ? room.generation + 1 : room.generation;
  const offset = recovery === "new_epoch" ? 0 : room.position?.offset ?? 0;
  const notice: Notice = { kind: "notice", generation, offset, recovery };
  return { ...room, generation, position: null, joining: true, lines: insert(room.lines, notice) };
}

function merged(room: Room, event: TopicEvent): Room {
  const position = { epoch: event.epoch!, offset: event.offset! };
  const text = (event.data.payload as { text?: unknown } | null)?.text;
  if (event.event !== chatMessage || typeof text !== "string") {
    return { ...room, position };
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
  const shown = { ...room, position, lines: insert(room.lines, message) };
  return message.author === room.me ? discard(shown, message.id) : shown;
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

function ascending(events: readonly TopicEvent[]): readonly TopicEvent[] {
  return events.toSorted((a, b) => a.offset! - b.offset!);
}

function furthest(a: Position | null, b: Position): Position {
  return a && a.epoch === b.epoch && a.offset > b.offset ? a : b;
}

function change(room: Room, id: string, to: (draft: Draft) => Draft): Room {
  return { ...room, drafts: room.drafts.map(draft => (draft.id === id ? to(draft) : draft)) };
}

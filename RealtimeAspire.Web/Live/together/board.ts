// What a page shows of a drawing, as a value: the topic's events, and on top what this user has done that the topic has not shown yet.
//
// Laws (board.test.ts): an event that comes again changes nothing; what was done here is shown once, whichever of event and reply comes
// first, and ends as the topic has it; what is refused is as if it had not been done.

import type { OutboxItem, Position, PublishReply, TopicEvent } from "@realtimeaspire/client";
import { emptyDrawing, fold, isOfDrawing, type Act, type Drawing, type Item } from "./drawing.js";

export interface Mine extends Act {
  /** The event's. */
  readonly id: string;
  /** Where it is, once the server has said so. */
  readonly position?: Position;
}

export interface Board {
  readonly topic: string;
  readonly me: string;
  /** After the last event that came. */
  readonly position: Position | null;
  readonly drawing: Drawing;
  readonly mine: readonly Mine[];
  /** Everything that was ever among them: what has come back may wait for its reply a little longer. */
  readonly known: ReadonlySet<string>;
}

export function openBoard(topic: string, me: string): Board {
  return { topic, me, position: null, drawing: emptyDrawing, mine: [], known: new Set() };
}

/** Events of the topic, in their order. */
export function receive(board: Board, events: readonly TopicEvent[]): Board {
  const news = events.filter(({ epoch, offset }) =>
    epoch !== undefined && offset !== undefined && !(board.position && epoch === board.position.epoch && offset <= board.position.offset));
  const last = news.at(-1);
  if (!last) return board;
  const ids = new Set(news.filter(({ data }) => data.user_id === board.me).map(({ id }) => id));
  const position = { epoch: last.epoch!, offset: last.offset! };
  const acts = news.map(({ event, data }) => ({ event, entityId: data.entity_id, author: data.user_id, payload: data.payload }));
  const mine = board.mine.filter(one => !ids.has(one.id) && !isWithin(one.position, position));
  return { ...board, position, drawing: fold(board.drawing, acts), mine: mine.length === board.mine.length ? board.mine : mine };
}

/** The topic's log was lost, or begins anew: what there is is read again. What waits stays; what was stored is there, or lost too. */
export function startOver(board: Board): Board {
  return { ...board, position: null, drawing: emptyDrawing, mine: board.mine.filter(({ position }) => position === undefined) };
}

export function act(board: Board, mine: Omit<Mine, "author">): Board {
  return { ...board, mine: [...board.mine, { ...mine, author: board.me }], known: new Set(board.known).add(mine.id) };
}

/** What waits in the outbox, also of a page that has ended. */
export function takeOver(board: Board, waiting: readonly OutboxItem[]): Board {
  // Where the user points waits there too, for a moment.
  const ours = waiting.filter(({ request }) => request.topic === board.topic && isOfDrawing(request.event) && !board.known.has(request.id));
  return ours.reduce((taken, { request: { id, event, entityId = null, payload } }) => act(taken, { id, event, entityId, payload }), board);
}

export function confirm(board: Board, id: string, { position }: PublishReply): Board {
  const mine = board.mine
    .map(one => (one.id === id && position ? { ...one, position } : one))
    .filter(one => !isWithin(one.position, board.position));
  return { ...board, mine };
}

export function refuse(board: Board, id: string): Board {
  return { ...board, mine: board.mine.filter(one => one.id !== id) };
}

export function shown({ drawing, mine }: Board): Drawing {
  return mine.length === 0 ? drawing : fold(drawing, mine);
}

/** What the user has made last, of what is still there. */
export function lastOwn(drawing: Drawing, me: string): Item | undefined {
  return [...drawing.values()].findLast(({ author }) => author === me);
}

function isWithin(position: Position | undefined, reached: Position | null): boolean {
  return position !== undefined && reached !== null && position.epoch === reached.epoch && position.offset <= reached.offset;
}

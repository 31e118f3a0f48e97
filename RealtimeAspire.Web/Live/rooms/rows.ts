// What a room looks like, still as a value: days, groups of one author, states. messageList.ts draws it.

import { saysFilesOnly, type Body, type FileInfo } from "./body.js";
import { find, type Message, type Reaction, type Room } from "./room.js";

const sameGroup = 5 * 60_000;
/** Characters of a message that is answered. */
const quoteLength = 140;

export interface MessageRow {
  readonly kind: "message";
  readonly key: string;
  readonly author: string;
  /** What the author is called. */
  readonly name: string;
  readonly mine: boolean;
  readonly text: string;
  readonly at: number;
  /** Opens and closes a run of messages by one author. */
  readonly first: boolean;
  readonly last: boolean;
  readonly state: "live" | "sending" | "waiting" | "sent" | "failed";
  readonly id: string;
  readonly offset?: number;
  readonly reason?: string;
  readonly edited: boolean;
  readonly deleted: boolean;
  readonly pinned: boolean;
  readonly reactions: readonly ReactionRow[];
  readonly mentions: readonly string[];
  readonly files: readonly FileInfo[];
  /** What it answers. */
  readonly quote?: Quote & { readonly offset: number };
  /** In its thread. */
  readonly replies: number;
  /** Of the last own message: what others have of it. */
  readonly receipts?: Receipts;
  /** Of one that is sent: it waits its turn, of which there is one in that many seconds. */
  readonly turn?: number;
}

export interface ReactionRow {
  readonly emoji: string;
  readonly count: number;
  readonly mine: boolean;
  /** Read out, and shown on demand. */
  readonly names: string;
}

export interface Quote {
  readonly author: string;
  readonly text: string;
}

export interface Receipts {
  readonly delivered: number;
  readonly read: number;
}

/** What becomes of the messages before the oldest one that is here. */
export type Older = "there" | "loading" | "failed";

export type Row =
  | { readonly kind: "start"; readonly key: string; readonly older: Older | "none"; readonly isThread: boolean }
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "unread"; readonly key: string }
  | { readonly kind: "newer"; readonly key: string; readonly newer: Older }
  | { readonly kind: "notice"; readonly key: string; readonly text: string }
  | MessageRow;

/** What there is beside the room. */
export interface View {
  /** Whether what is being sent is on its way, or waits. */
  readonly connected: boolean;
  dayOf(at: number): string;
  readonly older?: Older;
  readonly newer?: Older;
  /** Where the user had come to before. */
  readonly firstUnread?: number | undefined;
  /** Messages that are answered and not here; null: they are not there any more. */
  readonly quotes?: ReadonlyMap<number, Quote | null>;
  readonly receipts?: (Receipts & { readonly offset: number }) | undefined;
  /** Seconds between two messages of this user's; 0: as many as he likes. */
  readonly slowSeconds?: number;
  /** What an author is called, where it is not the author's name. */
  nameOf?(user: string): string;
}

const notices = {
  gap: "Some messages from while you were away are no longer kept.",
  new_epoch: "The room was started over on the server. What stands above is from before.",
};

export function rows(room: Room, view: View): readonly Row[] {
  const drawn: Row[] = [];
  const { connected, dayOf, older = "there", nameOf = user => user } = view;
  const oldest = room.lines[0];
  if (oldest) {
    drawn.push({ kind: "start", key: "start", older: room.complete || oldest.offset <= 1 ? "none" : older, isThread: room.thread !== null });
  }

  let day = "";
  const message = (row: Omit<MessageRow, "kind" | "first" | "last">) => {
    const today = dayOf(row.at);
    if (today !== day) {
      day = today;
      drawn.push({ kind: "day", key: `day ${row.key}`, at: row.at });
    }
    if (row.offset !== undefined && row.offset === view.firstUnread) drawn.push({ kind: "unread", key: "unread" });
    const above = drawn.at(-1);
    const joins = above?.kind === "message" && above.author === row.author && row.at - above.at < sameGroup && !row.quote && above.offset !== room.thread;
    if (joins) {
      drawn[drawn.length - 1] = { ...above, last: false };
    }
    drawn.push({ kind: "message", ...row, first: !joins, last: true });
  };

  for (const line of room.lines) {
    if (line.kind === "notice") {
      drawn.push({ kind: "notice", key: `notice ${line.generation} ${line.offset}`, text: notices[line.recovery] });
      continue;
    }
    const { id, author, at, offset, edited, deleted, pinned, reactions, replies, generation } = line;
    const quote = quoteOf(room, line, view);
    message({
      key: `${generation} ${author} ${id}`, id, author, name: nameOf(author), mine: author === room.me, at, state: "live", ...said(line), ...(generation === room.generation && { offset }),
      edited, deleted, pinned, reactions: reactions.map(reaction => reactionRow(reaction, room.me)), replies: room.thread === null ? replies : 0,
      ...(quote && !deleted && { quote }), ...(view.receipts?.offset === offset && { receipts: { delivered: view.receipts.delivered, read: view.receipts.read } }),
    });
  }

  if (room.ahead) {
    drawn.push({ kind: "newer", key: "newer", newer: view.newer ?? "there" });
    return drawn;
  }
  const { slowSeconds = 0 } = view;
  let turn = slowSeconds === 0 ? 0 : (lastOwn(room)?.at ?? 0) + 1_000 * slowSeconds;
  for (const { id, body, at, state, reason } of room.drafts) {
    const quote = quoteOf(room, body, view);
    // The key that its line will have: the element stays the same when the event arrives.
    message({
      key: `${room.generation} ${room.me} ${id}`, id, author: room.me, name: room.me, mine: true, at, ...said(body), edited: false, deleted: false, pinned: false, reactions: [], replies: 0,
      state: state === "sending" && !connected ? "waiting" : state,
      ...(at < turn && { turn: slowSeconds }),
      ...(quote && { quote }), ...(reason === undefined ? {} : { reason }),
    });
    if (slowSeconds > 0) turn = Math.max(turn, at) + 1_000 * slowSeconds;
  }
  return drawn;
}

/** The newest message of one's own that others have, if nothing of one's own comes after it. */
export function lastOwn(room: Room): Message | undefined {
  return room.lines.findLast((line): line is Message => line.kind === "message" && line.author === room.me && line.generation === room.generation && !line.deleted);
}

/** Messages that are answered and not here. */
export function missingQuotes(room: Room, known: ReadonlyMap<number, unknown>): readonly number[] {
  const answered = [...room.lines.flatMap(line => (line.kind === "message" ? [line.replyTo] : [])), ...room.drafts.map(({ body }) => body.replyTo)];
  return [...new Set(answered)].filter((offset): offset is number => offset !== null && !known.has(offset) && !find(room, offset));
}

export function quoted(message: Body & { readonly author: string; readonly deleted?: boolean }): Quote {
  return { author: message.author, text: message.deleted ? "Deleted message" : shorten(message.text) };
}

function quoteOf(room: Room, { replyTo }: Body, { quotes, nameOf = user => user }: View): MessageRow["quote"] {
  if (replyTo === null) return undefined;
  const here = find(room, replyTo);
  const quote = here ? quoted(here) : quotes?.get(replyTo);
  if (quote) return { offset: replyTo, ...quote, author: nameOf(quote.author) };
  // Its line is there from the beginning, so that nothing moves when it is known.
  return { offset: replyTo, author: "", text: quote === null ? "A message that is not here any more" : "…" };
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const characters = Array.from(line);
  return characters.length > quoteLength ? `${characters.slice(0, quoteLength).join("")}…` : line;
}

function said(body: Body): Pick<MessageRow, "text" | "mentions" | "files"> {
  return { text: saysFilesOnly(body) ? "" : body.text, mentions: body.mentions, files: body.files };
}

function reactionRow({ emoji, users, others }: Reaction, me: string): ReactionRow {
  const mine = users.includes(me);
  const names = [...(mine ? ["You"] : []), ...users.filter(user => user !== me), ...(others > 0 ? [`${others} more`] : [])].join(", ");
  return { emoji, count: users.length + others, mine, names };
}

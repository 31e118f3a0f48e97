// What a room looks like, still as a value: days, groups of one author, states. messageList.ts draws it.

import type { Reaction, Room } from "./room.js";

const sameGroup = 5 * 60_000;

export interface MessageRow {
  readonly kind: "message";
  readonly key: string;
  readonly author: string;
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
  readonly reactions: readonly ReactionRow[];
}

export interface ReactionRow {
  readonly emoji: string;
  readonly count: number;
  readonly mine: boolean;
  /** Read out, and shown on demand. */
  readonly names: string;
}

/** What becomes of the messages before the oldest one that is here. */
export type Older = "there" | "loading" | "failed";

export type Row =
  | { readonly kind: "start"; readonly key: string; readonly older: Older | "none" }
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "notice"; readonly key: string; readonly text: string }
  | MessageRow;

const notices = {
  gap: "Some messages from while you were away are no longer kept.",
  new_epoch: "The room was started over on the server. What stands above is from before.",
};

/** `connected`: whether what is being sent is on its way, or waits. */
export function rows(room: Room, connected: boolean, dayOf: (at: number) => string, older: Older = "there"): readonly Row[] {
  const drawn: Row[] = [];
  const oldest = room.lines[0];
  if (oldest) {
    drawn.push({ kind: "start", key: "start", older: room.complete || oldest.offset <= 1 ? "none" : older });
  }

  let day = "";
  const message = (row: Omit<MessageRow, "kind" | "first" | "last">) => {
    const today = dayOf(row.at);
    if (today !== day) {
      day = today;
      drawn.push({ kind: "day", key: `day ${row.key}`, at: row.at });
    }
    const above = drawn.at(-1);
    const joins = above?.kind === "message" && above.author === row.author && row.at - above.at < sameGroup;
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
    const { id, author, text, at, offset, edited, deleted, reactions } = line;
    message({
      key: `${line.generation} ${author} ${id}`, id, author, mine: author === room.me, text, at, offset, state: "live",
      edited, deleted, reactions: reactions.map(reaction => reactionRow(reaction, room.me)),
    });
  }

  for (const { id, text, at, state, reason } of room.drafts) {
    // The key that its line will have: the element stays the same when the event arrives.
    message({
      key: `${room.generation} ${room.me} ${id}`, id, author: room.me, mine: true, text, at, edited: false, deleted: false, reactions: [],
      state: state === "sending" && !connected ? "waiting" : state,
      ...(reason === undefined ? {} : { reason }),
    });
  }
  return drawn;
}

function reactionRow({ emoji, users, others }: Reaction, me: string): ReactionRow {
  const mine = users.includes(me);
  const names = [...(mine ? ["You"] : []), ...users.filter(user => user !== me), ...(others > 0 ? [`${others} more`] : [])].join(", ");
  return { emoji, count: users.length + others, mine, names };
}

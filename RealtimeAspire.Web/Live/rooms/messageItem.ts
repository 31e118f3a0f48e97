// One row of the list as an element. messageList.ts owns the list and the place in it.

import type { PresenceStatus } from "@realtimeaspire/client";
import { avatar } from "../avatar.js";
import type { Pictures } from "./files.js";
import { messageText } from "./messageText.js";
import { button, element } from "../parts.js";
import { dotOf } from "../people/statusDot.js";
import type { MessageRow, Older, ReactionRow, Row } from "./rows.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const otherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export interface Surroundings {
  readonly me: string;
  readonly pictures: Pictures;
  /** How an author is, where he is here. */
  statusOf(user: string): PresenceStatus | undefined;
}

export function fill(item: HTMLElement, row: Row, around: Surroundings): void {
  const kept = ["arriving", "marked"].filter(name => item.classList.contains(name));
  switch (row.kind) {
    case "start":
      item.className = "start";
      item.replaceChildren(...start(row.older, row.isThread));
      break;
    case "newer":
      item.className = "start";
      item.replaceChildren(...(row.newer === "failed" ? ["Later messages cannot be loaded right now. ", again("newer")] : ["Loading later messages…"]));
      break;
    case "day":
      item.className = "day";
      item.replaceChildren(element("span", "", dayName(row.at)));
      break;
    case "unread":
      item.className = "unread-line";
      item.dataset["testid"] = "unread-line";
      item.replaceChildren(element("span", "", "New"), element("span", "visually-hidden", "messages begin here"));
      break;
    case "notice":
      item.className = "notice";
      item.replaceChildren(element("span", "", row.text));
      break;
    case "message":
      fillMessage(item, row, around);
      break;
  }
  item.classList.add(...kept);
}

function fillMessage(item: HTMLElement, row: MessageRow, around: Surroundings): void {
  item.className = "message";
  item.classList.toggle("mine", row.mine);
  item.classList.toggle("first", row.first);
  item.classList.toggle("last", row.last);
  item.classList.toggle("for-me", row.mentions.includes(around.me));
  item.dataset["testid"] = "message";
  item.dataset["state"] = row.state;
  item.dataset["author"] = row.author;
  if (row.offset === undefined) delete item.dataset["offset"];
  else item.dataset["offset"] = `${row.offset}`;
  item.tabIndex = item.tabIndex === 0 ? 0 : -1;

  const time = element("time", "", clock.format(row.at));
  time.dateTime = new Date(row.at).toISOString();
  time.title = moment.format(row.at);

  // Shown above the first of a run; read out with each.
  const byline = element("p", row.first && !row.mine ? "byline" : "byline visually-hidden",
    author(row), " ", time);
  const content = element("div", "content", byline);
  if (row.pinned) content.append(element("p", "pinned", "Pinned"));
  if (row.quote) content.append(quote(row.quote));
  if (row.deleted || row.text !== "") content.append(bubble(row, around.me, time.title));
  if (row.files.length > 0) content.append(element("div", "files", ...row.files.map(file => around.pictures.view(file))));
  if (row.reactions.length > 0) content.append(reactions(row));
  if (row.replies > 0) content.append(replies(row));
  const footer = row.mine && !row.deleted ? status(row) : undefined;
  if (footer) content.append(footer);

  // The toolbar may be in the item as well, with the focus: it stays.
  let drawn = item.querySelector(":scope > .message-row");
  if (!drawn) item.replaceChildren(drawn = element("div", "message-row"));
  drawn.replaceChildren(...(row.mine ? [] : [row.first ? picture(row, around) : element("span", "avatar-space")]), content);
}

function author(row: MessageRow): HTMLElement {
  return row.mine ? element("b", "", "You") : about(element("b", "", row.name), row);
}

function picture(row: MessageRow, { statusOf }: Surroundings): HTMLElement {
  return about(element("span", "person-picture", avatar(row.name), dotOf(row.author, statusOf(row.author))), row);
}

/** How somebody is, a card says (people/personCard.ts); of a bot there is nothing to say. */
function about<T extends HTMLElement>(shown: T, row: MessageRow): T {
  if (row.name === row.author) shown.dataset["person"] = row.author;
  return shown;
}

function bubble(row: MessageRow, me: string, title: string): HTMLElement {
  const made = element("div", row.deleted ? "bubble deleted" : "bubble",
    ...(row.deleted ? [element("p", "", "This message was deleted")] : messageText(row.text, { mentions: row.mentions, me })));
  if (row.edited && !row.deleted) {
    const last = made.lastElementChild;
    (last?.tagName === "P" ? last : made).append(" ", edited());
  }
  made.dataset["testid"] = row.deleted ? "message-deleted" : "message-text";
  made.title = title;
  return made;
}

/** No stop for the Tab key of its own: the message's toolbar has it too. */
function edited(): HTMLElement {
  const mark = button("edited", "edits", "Edited: what it said before", "(edited)");
  mark.title = "What it said before";
  mark.tabIndex = -1;
  mark.dataset["testid"] = "edited";
  return mark;
}

function quote({ offset, author, text }: NonNullable<MessageRow["quote"]>): HTMLElement {
  const to = button("quote", "jump", "", element("b", "", author), " ", element("span", "", text));
  to.dataset["offset"] = `${offset}`;
  to.dataset["testid"] = "quote";
  to.ariaLabel = author === "" ? "Go to the message that this answers" : `In answer to ${author}: ${text}`;
  return to;
}

function replies({ replies: count, offset }: MessageRow): HTMLElement {
  const open = button("replies", "thread", "", count === 1 ? "1 reply" : `${count} replies`);
  open.dataset["offset"] = `${offset}`;
  open.dataset["testid"] = "replies";
  return open;
}

function status(row: MessageRow): HTMLElement | undefined {
  if (row.state === "failed") {
    const retry = button("link", "retry", "", "Try again");
    const discard = button("link", "discard", "", "Discard");
    retry.dataset["id"] = discard.dataset["id"] = row.id;
    const footer = element("p", "status failed", `Not sent. ${row.reason ?? ""} `.trimEnd(), " ", retry, discard);
    footer.role = "alert";
    return footer;
  }
  if (!row.last) return undefined;
  switch (row.state) {
    case "sending": return element("p", "status sending", row.turn === undefined ? "Sending…" : `Waits its turn: one message every ${row.turn} seconds`);
    case "waiting": return element("p", "status", "Waits for the connection");
    default: {
      const line = element("p", "status", ...received(row));
      line.dataset["testid"] = "status";
      return line;
    }
  }
}

function received({ at, receipts }: MessageRow): (Node | string)[] {
  const sent = `Sent ${clock.format(at)}`;
  if (!receipts || receipts.delivered + receipts.read === 0) return [sent];
  const have = receipts.read > 0 ? `Read by ${receipts.read}` : `Delivered to ${receipts.delivered}`;
  // No stop for the Tab key of its own: the message's menu has it too.
  const who = button("link", "readers", `${have}: show who`, have);
  who.tabIndex = -1;
  return [`${sent} · `, who];
}

function start(older: Older | "none", isThread: boolean): (Node | string)[] {
  switch (older) {
    case "none": return [isThread ? "The beginning of this thread" : "The beginning of this room"];
    case "failed": return ["Earlier messages cannot be loaded right now. ", again("older")];
    default: return ["Loading earlier messages…"];
  }
}

function again(what: "older" | "newer"): HTMLElement {
  return button("link", what, "", "Try again");
}

function reactions(row: MessageRow): HTMLElement {
  const list = element("ul", "reactions", ...row.reactions.map(reaction => element("li", "", reactionButton(row, reaction))));
  list.role = "list";
  list.ariaLabel = "Reactions";
  return list;
}

function reactionButton({ offset }: MessageRow, { emoji, count, mine, names }: ReactionRow): HTMLElement {
  const made = button("reaction", "react", `${emoji}: ${names}`, `${emoji} ${count}`);
  Object.assign(made.dataset, { offset: `${offset}`, emoji, testid: "reaction" });
  made.title = names;
  made.ariaPressed = `${mine}`;
  return made;
}

function dayName(at: number): string {
  const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(Date.now())) / 86_400_000);
  if (days === 0 || days === -1) {
    const name = relative.format(days, "day");
    return name.charAt(0).toLocaleUpperCase() + name.slice(1);
  }
  return (days > -180 && days < 1 ? weekday : otherYear).format(at);
}

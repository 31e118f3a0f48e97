// One row of the list as an element. messageList.ts owns the list and the place in it.

import { avatar } from "./avatar.js";
import { messageText } from "./messageText.js";
import { element } from "./parts.js";
import type { MessageRow, ReactionRow, Row } from "./rows.js";

/** What is offered at once; a reaction that is there can be joined, whatever it is. */
const emojis = ["👍", "❤️", "😂", "🎉", "😮", "🙏"];

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const otherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export function fill(item: HTMLElement, row: Row): void {
  const kept = ["arriving", "chosen"].filter(name => item.classList.contains(name));
  switch (row.kind) {
    case "start":
      item.className = "start";
      item.replaceChildren(...start(row.older));
      break;
    case "day":
      item.className = "day";
      item.replaceChildren(element("span", "", dayName(row.at)));
      break;
    case "notice":
      item.className = "notice";
      item.replaceChildren(element("span", "", row.text));
      break;
    case "message":
      fillMessage(item, row);
      break;
  }
  item.classList.add(...kept);
}

function fillMessage(item: HTMLElement, row: MessageRow): void {
  item.className = "message";
  item.classList.toggle("mine", row.mine);
  item.classList.toggle("first", row.first);
  item.classList.toggle("last", row.last);
  item.dataset["testid"] = "message";
  item.dataset["state"] = row.state;
  item.dataset["author"] = row.author;
  if (row.offset === undefined) delete item.dataset["offset"];
  else item.dataset["offset"] = `${row.offset}`;

  const time = element("time", "", clock.format(row.at));
  time.dateTime = new Date(row.at).toISOString();
  time.title = moment.format(row.at);

  // Shown above the first of a run; read out with each.
  const byline = element("p", row.first && !row.mine ? "byline" : "byline visually-hidden",
    element("b", "", row.mine ? "You" : row.author), " ", time);
  const bubble = row.deleted
    ? element("p", "bubble deleted", "This message was deleted")
    : element("p", "bubble", ...messageText(row.text), ...(row.edited ? [" ", element("small", "edited", "(edited)")] : []));
  bubble.dataset["testid"] = row.deleted ? "message-deleted" : "message-text";
  bubble.title = time.title;

  const content = element("div", "content", byline, element("div", "bubble-line", bubble, ...(row.offset === undefined || row.deleted ? [] : [tools(row, row.offset)])));
  if (row.reactions.length > 0) content.append(reactions(row));
  const footer = row.mine && !row.deleted ? status(row) : undefined;
  if (footer) content.append(footer);
  item.replaceChildren(...(row.mine ? [] : [row.first ? avatar(row.author) : element("span", "avatar-space")]), content);
}

function status(row: MessageRow): HTMLElement | undefined {
  if (row.state === "failed") {
    const footer = element("p", "status failed", `Not sent. ${row.reason ?? ""} `.trimEnd(), " ",
      action("retry", "Try again", row.id), action("discard", "Discard", row.id));
    footer.role = "alert";
    return footer;
  }
  if (!row.last) return undefined;
  switch (row.state) {
    case "sending": return element("p", "status sending", "Sending…");
    case "waiting": return element("p", "status", "Waits for the connection");
    default: return element("p", "status", `Sent ${clock.format(row.at)}`);
  }
}

function start(older: "none" | "there" | "loading" | "failed"): (Node | string)[] {
  switch (older) {
    case "none": return ["The beginning of this room"];
    case "failed": return ["Earlier messages cannot be loaded right now. ", action("older", "Try again", "")];
    default: return ["Loading earlier messages…"];
  }
}

/** What can be done to a message: shown when it is pointed at, tapped or reached by keyboard. */
function tools(row: MessageRow, offset: number): HTMLElement {
  const bar = element("div", "tools", ...emojis.map(emoji => tool("react", emoji, `React with ${emoji}`, { offset: `${offset}`, emoji })));
  if (row.mine) {
    bar.append(tool("edit", "Edit", "Edit this message", { offset: `${offset}` }), tool("delete", "Delete", "Delete this message", { offset: `${offset}` }));
  }
  bar.role = "toolbar";
  bar.ariaLabel = `To the message of ${row.mine ? "yours" : row.author} at ${clock.format(row.at)}`;
  return bar;
}

function reactions(row: MessageRow): HTMLElement {
  const list = element("ul", "reactions", ...row.reactions.map(reaction => element("li", "", reactionButton(row, reaction))));
  list.role = "list";
  list.ariaLabel = "Reactions";
  return list;
}

function reactionButton({ offset }: MessageRow, { emoji, count, mine, names }: ReactionRow): HTMLElement {
  const button = tool("react", `${emoji} ${count}`, `${emoji}: ${names}`, { offset: `${offset}`, emoji });
  button.className = "reaction";
  button.title = names;
  button.ariaPressed = `${mine}`;
  button.dataset["testid"] = "reaction";
  return button;
}

function tool(name: string, text: string, label: string, data: Record<string, string>): HTMLElement {
  const button = element("button", "tool", text);
  button.type = "button";
  button.ariaLabel = label;
  button.dataset["action"] = name;
  Object.assign(button.dataset, data);
  return button;
}

function action(name: string, label: string, id: string): HTMLElement {
  const button = element("button", "link", label);
  button.type = "button";
  button.dataset["action"] = name;
  button.dataset["id"] = id;
  return button;
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

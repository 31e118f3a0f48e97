import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutboxItem, TopicEvent } from "@realtimeaspire/client";
import { bodyOf } from "./body.js";
import { confirm, fail, follow, lose, moveTo, openRoom, receive, retry, takeOver, toNewest, trim, unfold, write, type Message, type Room } from "./room.js";
import { rows } from "./rows.js";

const topic = "room:general";

function event(offset: number, { epoch = "x7Qa", id = `id-${offset}`, user = "ada", text = `message ${offset}`, at = 0 } = {}): TopicEvent {
  const timestamp = new Date(1_800_000_000_000 + (at || offset * 1000)).toISOString();
  return { topic, event: "chat:message", offset, epoch, id, v: 1, trace_id: null, data: { entity_id: null, payload: { text }, user_id: user, timestamp } };
}

const all = (room: Room, events: readonly TopicEvent[]) => events.reduce(receive, room);

function live(to: number): Room {
  return all(openRoom(topic, "grace"), Array.from({ length: to }, (_, index) => event(index + 1)));
}

const offsets = (room: Room) => room.lines.map(line => line.offset);
const outcome = (offset: number) => ({ position: { epoch: "x7Qa", offset }, timestamp: "", duplicate: false });

test("an event that comes again changes nothing", () => {
  const room = live(3);
  assert.deepEqual(receive(room, event(2)).lines, room.lines);
});

test("after a gap the newest stand behind a line that says so, and what was there already stands once", () => {
  const room = all(lose(live(2), "gap"), [event(89), event(90)]);
  assert.deepEqual(room.lines.map(line => line.kind), ["message", "message", "notice", "message", "message"]);
  const again = all(lose(live(4), "gap"), [event(3), event(4), event(5)]);
  assert.deepEqual(offsets(again), [1, 2, 3, 4, 4, 5]);
});

test("a new epoch starts behind what was there, though its offsets are lower", () => {
  const room = receive(lose(live(3), "new_epoch"), event(1, { epoch: "b2", text: "anew" }));
  assert.deepEqual(room.lines.map(line => (line.kind === "message" ? line.text : line.recovery)),
    ["message 1", "message 2", "message 3", "new_epoch", "anew"]);
});

test("other events move the position and are not drawn", () => {
  const room = all(live(1), [{ ...event(2), event: "app:ping" }, event(3)]);
  assert.deepEqual(offsets(room), [1, 3]);
  assert.equal(room.position?.offset, 3);
});

test("ephemeral events change nothing", () => {
  const { offset: _, epoch: __, ...typing } = event(2);
  const room = live(1);
  assert.equal(receive(room, typing), room);
});

test("a draft becomes the message, whichever of reply and event comes first", () => {
  const written = write(live(1), "mine", bodyOf("hello"), 0);
  const own = event(2, { id: "mine", user: "grace" });

  const replyFirst = receive(confirm(written, "mine", outcome(2)), own);
  const eventFirst = confirm(receive(written, own), "mine", outcome(2));
  assert.deepEqual(replyFirst.drafts, []);
  assert.deepEqual(eventFirst, replyFirst);
});

test("somebody else's event with the same id leaves my draft alone", () => {
  const room = receive(write(live(1), "mine", bodyOf("hello"), 0), event(2, { id: "mine", user: "eve" }));
  assert.equal(room.drafts.length, 1);
});

test("a failed draft keeps its id when it is tried again", () => {
  const failed = fail(write(live(1), "mine", bodyOf("hello"), 0), "mine", "Too fast.");
  assert.equal(failed.drafts[0]?.reason, "Too fast.");
  assert.deepEqual(retry(failed, "mine").drafts, [{ id: "mine", body: bodyOf("hello"), at: 0, state: "sending" }]);
});

test("a repeat that the log already had long ago leaves no draft behind, whatever is known first", () => {
  assert.deepEqual(confirm(write(live(5), "old", bodyOf("hello"), 0), "old", outcome(2)).drafts, []);
  const before = confirm(write(openRoom(topic, "grace"), "old", bodyOf("hello"), 0), "old", outcome(2));
  assert.equal(before.drafts.length, 1);
  assert.deepEqual(receive(before, event(60)).drafts, []);
});

test("what an earlier page has left is a draft here, once, and only of this room", () => {
  const item = (id: string, of = topic): OutboxItem => ({ request: { topic: of, event: "chat:message", payload: { text: id }, id }, at: 5 });
  const room = takeOver(write(live(1), "mine", bodyOf("hello"), 0), [item("mine"), item("left"), item("other", "room:other")]);
  assert.deepEqual(room.drafts.map(draft => [draft.id, draft.body.text, draft.at, draft.state]), [["mine", "hello", 0, "sending"], ["left", "left", 5, "sending"]]);
  assert.equal(takeOver(room, [item("left")]), room);
});

test("what has come is no draft again while it still waits for its reply, whoever wrote it down first", () => {
  const waits: OutboxItem = { request: { topic, event: "chat:message", payload: { text: "hello" }, id: "mine" }, at: 5 };
  const own = event(2, { id: "mine", user: "grace" });
  const written = receive(write(live(1), "mine", bodyOf("hello"), 0), own);
  assert.equal(takeOver(written, [waits]), written);
  const reloaded = receive(live(1), own);
  assert.equal(takeOver(reloaded, [waits]), reloaded);
  assert.equal(takeOver(receive(live(1), { ...own, data: { ...own.data, user_id: "eve" } }), [waits]).drafts.length, 1);
});

const done = (offset: number, name: string, target: number, user: string, payload: unknown): TopicEvent =>
  ({ ...event(offset, { user }), event: `chat:${name}`, data: { entity_id: `${target}`, payload, user_id: user, timestamp: new Date(0).toISOString() } });
const message = (room: Room, offset: number) => room.lines.find(line => line.kind === "message" && line.offset === offset) as Message;

test("only the author edits, and what was edited says so", () => {
  const room = all(live(2), [done(3, "edit", 1, "ada", { text: "anew" }), done(4, "edit", 2, "eve", { text: "forged" })]);
  assert.deepEqual([message(room, 1).text, message(room, 1).edited], ["anew", true]);
  assert.deepEqual([message(room, 2).text, message(room, 2).edited], ["message 2", false]);
});

test("the author and the server delete, nobody else, and nothing is done to what is deleted", () => {
  const room = all(live(3), [
    done(4, "delete", 1, "eve", {}), done(5, "delete", 2, "ada", {}), done(6, "delete", 3, "", { by: "moderator" }),
    done(7, "edit", 2, "ada", { text: "back" }), done(8, "reaction", 3, "bob", { emoji: "👍", on: true }),
  ]);
  assert.deepEqual(room.lines.map(line => (line.kind === "message" ? [line.deleted, line.text] : [])), [[false, "message 1"], [true, ""], [true, ""]]);
  assert.deepEqual(message(room, 3).reactions, []);
});

test("a reaction is there or not, whichever was said last, however often", () => {
  const on = (offset: number, user: string, is = true) => done(offset, "reaction", 1, user, { emoji: "👍", on: is });
  const room = all(live(1), [on(2, "bob"), on(3, "bob"), on(4, "eve"), on(5, "bob", false)]);
  assert.deepEqual(message(room, 1).reactions, [{ emoji: "👍", users: ["eve"], others: 0 }]);
  assert.deepEqual(message(receive(room, on(6, "eve", false)), 1).reactions, []);
});

test("what is done to a message that is not here, or that has another form, changes nothing but the position", () => {
  const room = live(1);
  const after = all(room, [done(2, "edit", 9, "ada", { text: "x" }), done(3, "edit", 1, "ada", { text: 7 }), done(4, "reaction", 1, "ada", null)]);
  assert.equal(after.lines, room.lines);
  assert.equal(after.position?.offset, 4);
});

test("a page of the past stands before what is here, each message once, and says whether there is more", () => {
  const past = (offset: number) => ({ ...message(live(9), offset), id: `offset ${offset}` });
  const room = all(openRoom(topic, "grace"), [event(8), event(9)]);
  const more = unfold(room, [past(6), past(7), past(8)], false);
  assert.deepEqual(offsets(more), [6, 7, 8, 9]);
  assert.equal(message(more, 8).id, "id-8");
  const olders = (of: Room) => rows(of, { connected: true, dayOf: () => "today", older: "loading" }).flatMap(row => (row.kind === "start" ? [row.older] : []));
  assert.deepEqual([olders(more), olders(unfold(more, [past(2)], true))], [["loading"], ["none"]]);
});

test("trimming keeps the newest lines", () => {
  assert.deepEqual(offsets(trim(live(9), 3)), [7, 8, 9]);
});

test("rows group one author's messages within five minutes, under one heading a day", () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const said = [event(1, { at: 1 }), event(2, { at: minute }), event(3, { at: minute, user: "bob" }), event(4, { at: 7 * minute, user: "bob" }), event(5, { at: day })];
  const room = all(openRoom(topic, "bob"), said);
  const drawn = rows(room, { connected: true, dayOf: at => new Date(at).toISOString().slice(0, 10) });

  assert.deepEqual(drawn.map(row => row.kind), ["start", "day", "message", "message", "message", "message", "day", "message"]);
  const messages = drawn.filter(row => row.kind === "message");
  assert.deepEqual(messages.map(row => [row.first, row.last]), [[true, false], [false, true], [true, true], [true, true], [true, true]]);
  assert.deepEqual(messages.map(row => row.mine), [false, false, true, true, false]);
});

test("a draft waits while there is no connection", () => {
  const room = write(live(1), "mine", bodyOf("hello"), 0);
  const states = (connected: boolean) => rows(room, { connected, dayOf: () => "today" }).flatMap(row => (row.kind === "message" ? [row.state] : []));
  assert.deepEqual(states(true), ["live", "sending"]);
  assert.deepEqual(states(false), ["live", "waiting"]);
});

test("in a slow room a draft waits its turn after one's last message, and each draft after the one before it", () => {
  const said = receive(live(1), event(2, { user: "grace" }));
  const last = 1_800_000_002_000;
  const turns = (room: Room, slowSeconds: number) => rows(room, { connected: true, dayOf: () => "today", slowSeconds }).flatMap(row => (row.kind === "message" && row.state === "sending" ? [row.turn] : []));
  const written = write(write(said, "soon", bodyOf("one"), last + 4_000), "late", bodyOf("two"), last + 6_000);
  assert.deepEqual(turns(written, 0), [undefined, undefined]);
  assert.deepEqual(turns(written, 5), [5, 5]);
  assert.deepEqual(turns(write(said, "late", bodyOf("two"), last + 6_000), 5), [undefined]);
});

test("a draft and its message are the same row", () => {
  const written = write(live(1), "mine", bodyOf("hello"), 1_800_000_002_000);
  const shown = receive(written, event(2, { id: "mine", user: "grace" }));
  const key = (room: Room) => rows(room, { connected: true, dayOf: () => "today" }).at(-1)?.key;
  assert.equal(key(written), key(shown));
});

const told = (offset: number) => ({ ...message(live(900), offset), id: `offset ${offset}` });
const page = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => told(from + index));
const far = () => all(openRoom(topic, "grace"), Array.from({ length: 50 }, (_, index) => event(851 + index)));

test("a window in the past misses nothing of what comes meanwhile, and is whole again when it comes to it", () => {
  let room = moveTo(far(), page(101, 150), true, true);
  assert.deepEqual([offsets(room)[0], offsets(room).at(-1), room.complete], [101, 150, false]);
  room = all(room, [event(901), event(902)]);
  assert.equal(offsets(room).at(-1), 150);
  assert.equal(offsets(toNewest(room)).at(-1), 902);

  for (let from = 151; room.ahead; from += 50) room = follow(room, page(from, from + 49), true);
  assert.deepEqual(offsets(room), Array.from({ length: 802 }, (_, index) => index + 101));
  assert.equal(offsets(receive(room, event(903))).at(-1), 903);
});

test("the end of the past is not the newest where what came since has been forgotten", () => {
  const many = (room: Room, from: number, to: number) => all(room, Array.from({ length: to - from + 1 }, (_, index) => event(from + index)));
  const room = many(moveTo(far(), page(101, 150), true, true), 901, 1_300);
  assert.notEqual(follow(room, page(151, 200), false).ahead, null);
  assert.equal(follow(moveTo(far(), page(101, 150), true, true), page(151, 200), false).ahead, null);
});

test("a message that is here already is moved to without losing any", () => {
  const room = moveTo(far(), page(840, 880), true, true);
  assert.deepEqual(offsets(room), Array.from({ length: 61 }, (_, index) => index + 840));
  assert.equal(room.ahead, null);
});

test("lines that are forgotten at the end that is not looked at come again", () => {
  const room = trim(unfold(far(), page(801, 850), false), 60, "newest");
  assert.deepEqual([offsets(room).length, offsets(room).at(-1)], [60, 860]);
  assert.deepEqual(offsets(follow(receive(room, event(901)), page(861, 900), false)), Array.from({ length: 101 }, (_, index) => index + 801));
});

test("what is done to a message reaches it also where it waits ahead of the window", () => {
  const room = toNewest(receive(moveTo(far(), page(101, 150), true, true), done(901, "edit", 880, "ada", { text: "anew" })));
  assert.equal(message(room, 880).text, "anew");
});

const reply = (offset: number, thread: number, user = "bob"): TopicEvent => {
  const said = event(offset, { user });
  return { ...said, data: { ...said.data, payload: { text: `reply ${offset}`, thread: `${thread}` } } };
};

test("what is said in a thread is counted at its message, once, and stands in the thread", () => {
  const room = all(live(2), [reply(3, 1), reply(4, 1), event(5)]);
  assert.deepEqual(offsets(room), [1, 2, 5]);
  assert.deepEqual([message(room, 1).replies, message(room, 1).lastReply], [2, 4]);
  assert.equal(message(all(lose(room, "gap"), [reply(3, 1), reply(4, 1)]), 1).replies, 2);

  const thread = all(openRoom(topic, "bob", [], 1), [event(2), reply(3, 1), reply(4, 2), done(6, "edit", 3, "bob", { text: "anew" })]);
  assert.deepEqual(thread.lines.map(line => (line.kind === "message" ? [line.offset, line.text] : [])), [[3, "anew"]]);
});

test("a draft of a thread is no draft of the room", () => {
  const waiting: OutboxItem = { request: { topic, event: "chat:message", payload: { text: "later", thread: "1" }, id: "t" }, at: 5 };
  assert.deepEqual(takeOver(openRoom(topic, "grace"), [waiting]).drafts, []);
  assert.equal(takeOver(openRoom(topic, "grace", [], 1), [waiting]).drafts.length, 1);
});

test("a message is pinned or not, whichever was said last; a deleted one is not", () => {
  const pinned = receive(live(1), done(2, "pin", 1, "bob", { on: true }));
  assert.equal(message(pinned, 1).pinned, true);
  assert.equal(message(receive(pinned, done(3, "pin", 1, "eve", { on: false })), 1).pinned, false);
  assert.equal(message(receive(pinned, done(3, "delete", 1, "ada", {})), 1).pinned, false);
});

test("an answer shows what it answers, whether that is here, known, or gone", () => {
  const answer = (to: number) => ({ ...event(9), data: { ...event(9).data, payload: { text: "yes", replyTo: `${to}` } } });
  const quoteOf = (to: number, quotes = new Map<number, { author: string; text: string } | null>()) => {
    const row = rows(receive(live(2), answer(to)), { connected: true, dayOf: () => "today", quotes }).at(-1);
    return row?.kind === "message" ? row.quote : undefined;
  };
  assert.deepEqual(quoteOf(2), { offset: 2, author: "ada", text: "message 2" });
  assert.deepEqual(quoteOf(5), { offset: 5, author: "", text: "…" });
  assert.deepEqual(quoteOf(5, new Map([[5, { author: "eve", text: "is it?" }]])), { offset: 5, author: "eve", text: "is it?" });
  assert.equal(quoteOf(5, new Map([[5, null]]))?.text, "A message that is not here any more");
});

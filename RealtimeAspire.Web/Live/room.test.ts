import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutboxItem, TopicEvent } from "@realtimeaspire/client";
import { confirm, fail, lose, openRoom, receive, retry, takeOver, trim, write, type Room } from "./room.js";
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
  const written = write(live(1), "mine", "hello", 0);
  const own = event(2, { id: "mine", user: "grace" });

  const replyFirst = receive(confirm(written, "mine", outcome(2)), own);
  const eventFirst = confirm(receive(written, own), "mine", outcome(2));
  assert.deepEqual(replyFirst.drafts, []);
  assert.deepEqual(eventFirst, replyFirst);
});

test("somebody else's event with the same id leaves my draft alone", () => {
  const room = receive(write(live(1), "mine", "hello", 0), event(2, { id: "mine", user: "eve" }));
  assert.equal(room.drafts.length, 1);
});

test("a failed draft keeps its id when it is tried again", () => {
  const failed = fail(write(live(1), "mine", "hello", 0), "mine", "Too fast.");
  assert.equal(failed.drafts[0]?.reason, "Too fast.");
  assert.deepEqual(retry(failed, "mine").drafts, [{ id: "mine", text: "hello", at: 0, state: "sending" }]);
});

test("a repeat that the log already had long ago leaves no draft behind, whatever is known first", () => {
  assert.deepEqual(confirm(write(live(5), "old", "hello", 0), "old", outcome(2)).drafts, []);
  const before = confirm(write(openRoom(topic, "grace"), "old", "hello", 0), "old", outcome(2));
  assert.equal(before.drafts.length, 1);
  assert.deepEqual(receive(before, event(60)).drafts, []);
});

test("what an earlier page has left is a draft here, once, and only of this room", () => {
  const item = (id: string, of = topic): OutboxItem => ({ request: { topic: of, event: "chat:message", payload: { text: id }, id }, at: 5 });
  const room = takeOver(write(live(1), "mine", "hello", 0), [item("mine"), item("left"), item("other", "room:other")]);
  assert.deepEqual(room.drafts.map(draft => [draft.id, draft.text, draft.at, draft.state]), [["mine", "hello", 0, "sending"], ["left", "left", 5, "sending"]]);
  assert.equal(takeOver(room, [item("left")]), room);
});

test("trimming keeps the newest lines", () => {
  assert.deepEqual(offsets(trim(live(9), 3)), [7, 8, 9]);
});

test("rows group one author's messages within five minutes, under one heading a day", () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const said = [event(1, { at: 1 }), event(2, { at: minute }), event(3, { at: minute, user: "bob" }), event(4, { at: 7 * minute, user: "bob" }), event(5, { at: day })];
  const room = all(openRoom(topic, "bob"), said);
  const drawn = rows(room, true, at => new Date(at).toISOString().slice(0, 10));

  assert.deepEqual(drawn.map(row => row.kind), ["start", "day", "message", "message", "message", "message", "day", "message"]);
  const messages = drawn.filter(row => row.kind === "message");
  assert.deepEqual(messages.map(row => [row.first, row.last]), [[true, false], [false, true], [true, true], [true, true], [true, true]]);
  assert.deepEqual(messages.map(row => row.mine), [false, false, true, true, false]);
});

test("a draft waits while there is no connection", () => {
  const room = write(live(1), "mine", "hello", 0);
  const states = (connected: boolean) => rows(room, connected, () => "today").flatMap(row => (row.kind === "message" ? [row.state] : []));
  assert.deepEqual(states(true), ["live", "sending"]);
  assert.deepEqual(states(false), ["live", "waiting"]);
});

test("a draft and its message are the same row", () => {
  const written = write(live(1), "mine", "hello", 1_800_000_002_000);
  const shown = receive(written, event(2, { id: "mine", user: "grace" }));
  const key = (room: Room) => rows(room, true, () => "today").at(-1)?.key;
  assert.equal(key(written), key(shown));
});

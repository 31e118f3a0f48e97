import assert from "node:assert/strict";
import { test } from "node:test";
import { confirm, fail, join, joined, openRoom, receive, request, retry, trim, write, type Room } from "./room.js";
import { rows } from "./rows.js";
import type { SubscribeReply, TopicEvent } from "./wire.js";

const topic = "room:general";

function event(offset: number, { epoch = "x7Qa", id = `id-${offset}`, user = "ada", text = `message ${offset}`, at = 0 } = {}): TopicEvent {
  const timestamp = new Date(1_800_000_000_000 + (at || offset * 1000)).toISOString();
  return { topic, event: "chat:message", offset, epoch, id, data: { payload: { text }, user_id: user, timestamp } };
}

function events(from: number, to: number): TopicEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
}

function reply(from: number, to: number, more: Partial<SubscribeReply> = {}): SubscribeReply {
  return { topic, position: { epoch: "x7Qa", offset: to }, recovery: "none", events: events(from, to), ...more };
}

function live(to: number): Room {
  return joined(openRoom(topic, "grace"), reply(1, to)).room;
}

const offsets = (room: Room) => room.lines.map(line => line.offset);

test("the first subscribe rewinds, the next one resumes", () => {
  assert.deepEqual(request(openRoom(topic, "ada")), { topic, rewind: { count: 50 } });
  assert.deepEqual(request(live(3)), { topic, position: { epoch: "x7Qa", offset: 3 } });
});

test("events that overtake the reply are merged once, in order", () => {
  const early = receive(openRoom(topic, "grace"), [event(4), event(3), event(5)]);
  assert.equal(early.next, "live");
  assert.deepEqual(offsets(early.room), []);

  const step = joined(early.room, reply(1, 3));
  assert.equal(step.next, "live");
  assert.deepEqual(offsets(step.room), [1, 2, 3, 4, 5]);
  assert.equal(step.room.position?.offset, 5);
});

test("repeats change nothing", () => {
  const room = live(3);
  assert.equal(receive(room, events(1, 3)).room, room);
});

test("any cut of the stream, in any order, with repeats, gives the same room", () => {
  let seed = 42;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let round = 0; round < 300; round++) {
    const tip = 1 + random(20);
    let room = openRoom(topic, "grace");
    let served = 0;
    const arrivals = [...events(1, tip), ...events(1, tip)].sort(() => random(3) - 1);
    while (arrivals.length > 0 || room.joining) {
      const batch = receive(room, arrivals.splice(0, 1 + random(4)));
      room = batch.room;
      if (room.joining && (batch.next === "subscribe" || random(2) === 0)) {
        const from = (room.position?.offset ?? 0) + 1;
        served = Math.max(served, from - 1 + random(tip - from + 2));
        const step = joined(room, reply(from, arrivals.length === 0 ? tip : served));
        room = step.room;
        for (let index = 1; index < room.lines.length; index++) {
          assert.equal(room.lines[index]!.offset, room.lines[index - 1]!.offset + 1);
        }
      }
    }
    room = joined(join(room), reply((room.position?.offset ?? 0) + 1, tip)).room;
    assert.deepEqual(offsets(room), Array.from({ length: tip }, (_, index) => index + 1));
  }
});

test("a hole asks for a subscribe from the last position and shows nothing past it", () => {
  const step = receive(live(3), [event(4), event(6)]);
  assert.equal(step.next, "subscribe");
  assert.deepEqual(offsets(step.room), [1, 2, 3, 4]);
  assert.deepEqual(request(step.room), { topic, position: { epoch: "x7Qa", offset: 4 } });

  const filled = joined(step.room, reply(5, 5, { recovery: "recovered" }));
  assert.equal(filled.next, "live");
  assert.deepEqual(offsets(filled.room), [1, 2, 3, 4, 5, 6]);
});

test("a long recovery is asked for page by page", () => {
  const page = joined(join(live(1)), reply(2, 3, { recovery: "recovered", more: true, position: { epoch: "x7Qa", offset: 9 } }));
  assert.equal(page.next, "subscribe");
  assert.deepEqual(request(page.room), { topic, position: { epoch: "x7Qa", offset: 3 } });
});

test("the first event of an empty topic gives its epoch", () => {
  const empty = joined(openRoom(topic, "ada"), { topic, position: { epoch: "", offset: 0 }, recovery: "none", events: [] }).room;
  const step = receive(empty, [event(1)]);
  assert.equal(step.next, "live");
  assert.deepEqual(step.room.position, { epoch: "x7Qa", offset: 1 });
});

test("a gap is said in the list, and the room rewinds", () => {
  const gap = joined(join(live(2)), reply(1, 0, { recovery: "gap", position: { epoch: "x7Qa", offset: 90 }, events: [] }));
  assert.equal(gap.next, "subscribe");
  assert.deepEqual(request(gap.room), { topic, rewind: { count: 50 } });

  const { room } = joined(gap.room, reply(89, 90));
  assert.deepEqual(room.lines.map(line => line.kind), ["message", "message", "notice", "message", "message"]);
});

test("a new epoch starts behind what was there, though its offsets are lower", () => {
  const reset = joined(join(live(3)), reply(1, 0, { recovery: "new_epoch", events: [] }));
  const fresh = [event(1, { epoch: "b2", text: "anew" })];
  const { room } = joined(reset.room, { topic, position: { epoch: "b2", offset: 1 }, recovery: "none", events: fresh });
  assert.deepEqual(room.lines.map(line => (line.kind === "message" ? line.text : line.recovery)),
    ["message 1", "message 2", "message 3", "new_epoch", "anew"]);
});

test("events of another epoch are not trusted before the server has said so", () => {
  const step = receive(live(3), [event(4, { epoch: "b2" })]);
  assert.equal(step.next, "subscribe");
  assert.deepEqual(offsets(step.room), [1, 2, 3]);
});

test("other events move the position and are not drawn", () => {
  const step = receive(live(1), [{ ...event(2), event: "app:ping" }, event(3)]);
  assert.deepEqual(offsets(step.room), [1, 3]);
  assert.equal(step.room.position?.offset, 3);
});

test("a draft becomes the message, whichever of reply and event comes first", () => {
  const written = write(live(1), "mine", "hello", 0);
  const outcome = { position: { epoch: "x7Qa", offset: 2 }, timestamp: "", duplicate: false };
  const own = event(2, { id: "mine", user: "grace" });

  const replyFirst = receive(confirm(written, "mine", outcome), [own]).room;
  const eventFirst = confirm(receive(written, [own]).room, "mine", outcome);
  assert.deepEqual(replyFirst.drafts, []);
  assert.deepEqual(eventFirst, replyFirst);
});

test("somebody else's event with the same id leaves my draft alone", () => {
  const room = receive(write(live(1), "mine", "hello", 0), [event(2, { id: "mine", user: "eve" })]).room;
  assert.equal(room.drafts.length, 1);
});

test("a failed draft keeps its id when it is tried again", () => {
  const failed = fail(write(live(1), "mine", "hello", 0), "mine", "Too fast.");
  assert.equal(failed.drafts[0]?.reason, "Too fast.");
  assert.deepEqual(retry(failed, "mine").drafts, [{ id: "mine", text: "hello", at: 0, state: "sending" }]);
});

test("a repeat that the log already had long ago leaves no draft behind", () => {
  const outcome = { position: { epoch: "x7Qa", offset: 2 }, timestamp: "", duplicate: true };
  assert.deepEqual(confirm(write(live(5), "old", "hello", 0), "old", outcome).drafts, []);
});

test("trimming keeps the newest lines", () => {
  assert.deepEqual(offsets(trim(live(9), 3)), [7, 8, 9]);
});

test("rows group one author's messages within five minutes, under one heading a day", () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const said = [event(1, { at: 1 }), event(2, { at: minute }), event(3, { at: minute, user: "bob" }), event(4, { at: 7 * minute, user: "bob" }), event(5, { at: day })];
  const { room } = joined(openRoom(topic, "bob"), reply(1, 5, { events: said }));
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
  const shown = receive(written, [event(2, { id: "mine", user: "grace" })]).room;
  const key = (room: Room) => rows(room, true, () => "today").at(-1)?.key;
  assert.equal(key(written), key(shown));
});

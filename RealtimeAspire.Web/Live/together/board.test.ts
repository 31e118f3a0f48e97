import assert from "node:assert/strict";
import { test } from "node:test";
import type { TopicEvent } from "@realtimeaspire/client";
import * as boards from "./board.js";
import { canvasClear, canvasNote, canvasRemove, canvasStroke } from "./drawing.js";

const topic = "canvas:main";
const payload = { points: [0, 0, 5, 5], colour: "ink", width: 4 };

function event(offset: number, id: string, entityId: string, name = canvasStroke, user = "ada", said: unknown = payload): TopicEvent {
  return { topic, event: name, offset, epoch: "x7Qa", id, v: 1, trace_id: null, data: { entity_id: entityId, payload: said, user_id: user, timestamp: "" } };
}

const at = (offset: number) => ({ position: { epoch: "x7Qa", offset }, timestamp: "", duplicate: false });
const names = (board: boards.Board) => [...boards.shown(board).keys()].join(" ");
const drawn = (id: string, entityId: string) => boards.act(boards.openBoard(topic, "ada"), { id, event: canvasStroke, entityId, payload });

test("an event that comes again changes nothing", () => {
  const board = boards.receive(boards.openBoard(topic, "ada"), [event(1, "a", "s1"), event(2, "b", "s2")]);
  assert.equal(boards.receive(board, [event(1, "a", "s1"), event(2, "b", "s2")]), board);
  assert.deepEqual(board.position, { epoch: "x7Qa", offset: 2 });
});

test("what is done here is shown at once, and once whichever of event and reply comes first", () => {
  const mine = drawn("a", "s1");
  assert.equal(names(mine), "s1");
  const eventFirst = boards.confirm(boards.receive(mine, [event(1, "a", "s1")]), "a", at(1));
  const replyFirst = boards.receive(boards.confirm(mine, "a", at(1)), [event(1, "a", "s1")]);
  for (const board of [eventFirst, replyFirst]) {
    assert.deepEqual([names(board), board.mine.length, board.drawing.size], ["s1", 0, 1]);
  }
  assert.equal(boards.confirm(mine, "a", at(1)).mine.length, 1, "nothing flickers between reply and event");
});

test("a stroke that was undone before it was sent is not seen, and both leave", () => {
  const undone = boards.act(drawn("a", "s1"), { id: "b", event: canvasRemove, entityId: "s1", payload: {} });
  assert.equal(names(undone), "");
  assert.equal(boards.receive(undone, [event(1, "a", "s1"), event(2, "b", "s1", canvasRemove, "ada", {})]).mine.length, 0);
});

test("what was stored before the part of the past that is read is over", () => {
  const board = boards.receive(boards.confirm(drawn("a", "s1"), "a", at(1)), [event(5, "c", "s9", canvasStroke, "grace")]);
  assert.deepEqual([names(board), board.mine.length], ["s9", 0]);
});

test("what is refused is as if it had not been done", () => {
  assert.equal(names(boards.refuse(drawn("a", "s1"), "a")), "");
});

test("what others do with the same event id is not mine", () => {
  const board = boards.receive(drawn("a", "s1"), [event(1, "a", "s2", canvasStroke, "grace")]);
  assert.deepEqual([names(board), board.mine.length], ["s2 s1", 1]);
});

test("what waits in the outbox from an earlier page is shown, once", () => {
  const waiting = [{ request: { topic, event: canvasNote, payload: { text: "hi", x: 0, y: 0, colour: "red" }, id: "n", entityId: "n1" }, at: 0 }];
  const board = boards.takeOver(boards.openBoard(topic, "ada"), waiting as never);
  assert.equal(names(board), "n1");
  assert.equal(boards.takeOver(board, waiting as never), board);
});

test("where the user points is nothing that he has drawn", () => {
  const board = boards.openBoard(topic, "ada");
  assert.equal(boards.takeOver(board, [{ request: { topic, event: "cursor", payload: { x: 1, y: 2 }, id: "p" }, at: 0 }] as never), board);
});

test("what has come back is not taken for what waits, though its reply is still under way", () => {
  const cleared = boards.receive(boards.act(boards.openBoard(topic, "ada"), { id: "c", event: canvasClear, entityId: null, payload: {} }), [
    { ...event(1, "c", "", canvasClear), data: { entity_id: null, payload: {}, user_id: "ada", timestamp: "" } }, event(2, "b", "s2", canvasStroke, "grace"),
  ]);
  assert.equal(names(boards.takeOver(cleared, [{ request: { topic, event: canvasClear, payload: {}, id: "c" }, at: 0 }] as never)), "s2");
});

test("when the log begins anew what waits stays", () => {
  const board = boards.startOver(boards.receive(drawn("a", "s1"), [event(1, "b", "s2", canvasStroke, "grace")]));
  assert.equal(names(board), "s1");
});

test("the last of one's own is what is undone", () => {
  const board = boards.receive(boards.openBoard(topic, "ada"), [event(1, "a", "s1"), event(2, "b", "s2"), event(3, "c", "s3", canvasStroke, "grace")]);
  assert.equal(boards.lastOwn(board.drawing, "ada")?.id, "s2");
  assert.equal(boards.lastOwn(board.drawing, "eve"), undefined);
});

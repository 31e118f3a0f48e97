import assert from "node:assert/strict";
import { test } from "node:test";
import { Sequence } from "../src/sequence.js";
import type { Position, Recovery, SubscribeReply } from "../src/wire.js";
import { event } from "./support.js";

function reply(offsets: number[], options: { tip?: Position; recovery?: Recovery; more?: boolean; epoch?: string } = {}): SubscribeReply {
  const { recovery = "recovered", more = false, epoch = "e" } = options;
  const tip = options.tip ?? { epoch, offset: offsets.at(-1) ?? 0 };
  return { topic: "room:a", position: tip, recovery, more, events: offsets.map(offset => event(offset, epoch)) };
}

const offsetsOf = (taken: { events: readonly { offset?: number }[] }) => taken.events.map(({ offset }) => offset);

test("what comes before the reply waits for it and is merged by offset", () => {
  const sequence = new Sequence({ epoch: "e", offset: 2 }, false);

  assert.deepEqual(offsetsOf(sequence.arrive([event(4), event(5)])), []);
  const taken = sequence.reply(reply([3, 4]));

  assert.deepEqual(offsetsOf(taken), [3, 4, 5]);
  assert.equal(taken.hole, false);
  assert.deepEqual(sequence.position, { epoch: "e", offset: 5 });
});

test("a repeat is dropped, a jump is a hole and is not taken", () => {
  const sequence = new Sequence({ epoch: "e", offset: 0 }, false);
  sequence.reply(reply([1, 2]));

  assert.deepEqual(offsetsOf(sequence.arrive([event(1), event(2), event(3)])), [3]);
  const jump = sequence.arrive([event(4), event(6)]);

  assert.deepEqual(offsetsOf(jump), [4]);
  assert.equal(jump.hole, true);
  assert.equal(sequence.position?.offset, 4);
});

test("where the newest of each key comes, a jump is none", () => {
  const sequence = new Sequence({ epoch: "e", offset: 0 }, true);
  sequence.reply(reply([1]));

  const jump = sequence.arrive([event(5), event(3), event(9)]);

  assert.deepEqual(offsetsOf(jump), [5, 9]);
  assert.equal(jump.hole, false);
});

test("another epoch is a hole until a reply says so", () => {
  const sequence = new Sequence({ epoch: "e", offset: 0 }, false);
  sequence.reply(reply([1]));

  assert.equal(sequence.arrive([event(1, "f")]).hole, true);
  sequence.hold();
  sequence.reply(reply([], { recovery: "new_epoch", tip: { epoch: "f", offset: 1 } }));

  assert.deepEqual(offsetsOf(sequence.arrive([event(2, "f")])), [2]);
});

test("with more to come nothing that waits is given out yet", () => {
  const sequence = new Sequence({ epoch: "e", offset: 0 }, false);
  sequence.arrive([event(5)]);

  assert.deepEqual(offsetsOf(sequence.reply(reply([1, 2], { more: true }))), [1, 2]);
  sequence.hold();
  sequence.arrive([event(5)]);
  assert.deepEqual(offsetsOf(sequence.reply(reply([3, 4]))), [3, 4, 5]);
});

test("without a position it begins where the server says, a rewind before its first event", () => {
  const now = new Sequence(undefined, false);
  now.reply(reply([], { recovery: "none", tip: { epoch: "e", offset: 7 } }));
  assert.deepEqual(offsetsOf(now.arrive([event(8)])), [8]);

  const rewound = new Sequence(undefined, false);
  assert.deepEqual(offsetsOf(rewound.reply(reply([6, 7], { recovery: "none" }))), [6, 7]);
});

test("a topic without events is followed from its first", () => {
  const sequence = new Sequence(undefined, false);
  sequence.reply(reply([], { recovery: "none", tip: { epoch: "", offset: 0 } }));

  assert.deepEqual(offsetsOf(sequence.arrive([event(1)])), [1]);
});

test("ephemeral events pass and move nothing", () => {
  const sequence = new Sequence({ epoch: "e", offset: 3 }, false);
  sequence.reply(reply([], { tip: { epoch: "e", offset: 3 } }));

  assert.deepEqual(offsetsOf(sequence.arrive([event(), event(4), event()])), [undefined, 4, undefined]);
});

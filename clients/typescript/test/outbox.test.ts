import assert from "node:assert/strict";
import { test } from "node:test";
import { RealtimeError } from "../src/errors.js";
import { Outbox, type OutboxItem } from "../src/outbox.js";
import type { Outcome, PublishReply, PublishRequest } from "../src/wire.js";
import { settled } from "./support.js";

const publish = (id: string, topic = "room:a", payload: unknown = {}) => ({ topic, event: "app:note", payload, id });
const answer = (offset: number): Outcome<PublishReply> =>
  ({ reply: { position: { epoch: "e", offset }, timestamp: "2026-11-21T05:27:00.123Z", duplicate: false } });
const refusal = (code: string, retryable: boolean): Outcome<PublishReply> => ({ error: { code, message: "No.", retryable } });
const failing = (code: string) => (error: unknown) => error instanceof RealtimeError && error.code === code;

/** A server that answers when it is told to. */
class Server {
  readonly calls: (readonly PublishRequest[])[] = [];
  readonly #answers: ((outcomes: readonly Outcome<PublishReply>[] | Error) => void)[] = [];

  readonly send = (requests: readonly PublishRequest[]) => {
    this.calls.push(requests);
    return new Promise<readonly Outcome<PublishReply>[]>((resolve, reject) => {
      this.#answers.push(outcomes => { if (outcomes instanceof Error) reject(outcomes); else resolve(outcomes); });
    });
  };

  async answer(outcomes: readonly Outcome<PublishReply>[] | Error): Promise<void> {
    this.#answers.shift()!(outcomes);
    await settled();
  }

  get ids(): (string | undefined)[][] {
    return this.calls.map(call => call.map(({ id }) => id));
  }
}

function makeOutbox(limits = { count: 100, age: 60_000 }): { outbox: Outbox; server: Server } {
  return { outbox: new Outbox(limits, () => 0), server: new Server() };
}

test("what waits behind an attempt leaves together with the next, in order", async () => {
  const { outbox, server } = makeOutbox();
  outbox.connect(server.send);

  const replies = ["1", "2", "3"].map(id => outbox.add(publish(id)));
  assert.deepEqual(server.ids, [["1"]]);
  await server.answer([answer(1)]);
  assert.deepEqual(server.ids, [["1"], ["2", "3"]]);
  await server.answer([answer(2), answer(3)]);

  assert.deepEqual((await Promise.all(replies)).map(reply => reply.position?.offset), [1, 2, 3]);
  assert.equal(outbox.count, 0);
});

test("topics do not wait for each other", () => {
  const { outbox, server } = makeOutbox();
  outbox.connect(server.send);

  void outbox.add(publish("1"));
  void outbox.add(publish("2", "room:b"));

  assert.deepEqual(server.ids, [["1"], ["2"]]);
});

test("without a connection they wait; a lost one brings them again with the same ids and in order", async () => {
  const { outbox, server } = makeOutbox();
  const replies = ["1", "2"].map(id => outbox.add(publish(id)));
  assert.deepEqual(server.calls, []);

  outbox.connect(server.send);
  assert.deepEqual(server.ids, [["1", "2"]]);
  outbox.connect(undefined);
  await server.answer(new Error("lost"));
  assert.equal(outbox.count, 2);
  outbox.connect(server.send);

  assert.deepEqual(server.ids, [["1", "2"], ["1", "2"]]);
  await server.answer([answer(1), answer(2)]);
  assert.equal((await replies[1]!).position?.offset, 2);
});

test("a refusal is told to its publish alone, what may succeed later is tried again", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { outbox, server } = makeOutbox();
  const first = outbox.add(publish("1"));
  const refused = outbox.add(publish("2"));
  const later = outbox.add(publish("3"));
  const last = outbox.add(publish("4"));
  outbox.connect(server.send);

  const rejected = assert.rejects(refused, failing("payload_invalid"));
  await server.answer([answer(1), refusal("payload_invalid", false), refusal("overloaded", true), refusal("not_attempted", true)]);
  await Promise.all([first, rejected]);
  assert.equal(server.calls.length, 1);
  t.mock.timers.tick(1);
  assert.deepEqual(server.ids[1], ["3", "4"]);
  await server.answer([answer(2), answer(3)]);
  await Promise.all([later, last]);
});

test("a full outbox refuses", async () => {
  const { outbox } = makeOutbox({ count: 2, age: 60_000 });
  void outbox.add(publish("1"));
  void outbox.add(publish("2", "room:b"));

  await assert.rejects(outbox.add(publish("3")), failing("outbox_full"));
});

test("what is too old is given up: expired where it was never sent, else unknown", async () => {
  const { outbox, server } = makeOutbox({ count: 10, age: 1_000 });
  const start = Date.now();
  const sent = outbox.add(publish("1"), start);
  outbox.connect(server.send);
  outbox.connect(undefined);
  await server.answer(new Error("lost"));
  const unsent = outbox.add(publish("2"), start);
  const young = outbox.add(publish("3"), start + 900);

  outbox.expire(start + 1_000);
  assert.equal(outbox.count, 3);
  outbox.expire(start + 1_001);

  await assert.rejects(sent, failing("unknown"));
  await assert.rejects(unsent, failing("outbox_expired"));
  outbox.connect(server.send);
  assert.deepEqual(server.ids.at(-1), ["3"]);
  await server.answer([answer(1)]);
  await young;
});

test("a call carries no more than the server takes in one message", () => {
  const { outbox, server } = makeOutbox();
  for (let i = 0; i < 5; i++) void outbox.add(publish(`${i}`, "room:a", "x".repeat(30_000)));
  outbox.connect(server.send);

  assert.deepEqual(server.ids, [["0", "1"]]);
});

test("it is counted in bytes as they are sent", () => {
  const { outbox, server } = makeOutbox();
  for (let i = 0; i < 5; i++) void outbox.add(publish(`${i}`, "room:a", "\u4e16".repeat(10_000)));
  outbox.connect(server.send);

  assert.deepEqual(server.ids, [["0", "1"]]);
});

test("what was attempted before is unknown, also when the last attempt did not come to it", async () => {
  const { outbox, server } = makeOutbox({ count: 10, age: 1_000 });
  const start = Date.now();
  const both = ["1", "2"].map(id => assert.rejects(outbox.add(publish(id), start), failing("unknown")));
  outbox.connect(server.send);
  await server.answer(new Error("lost"));
  outbox.connect(undefined);
  outbox.connect(server.send);
  await server.answer([refusal("overloaded", true), refusal("not_attempted", true)]);
  outbox.connect(undefined);
  outbox.expire(start + 2_000);

  await Promise.all(both);
});

test("a closed one fails all that wait and all that come", async () => {
  const { outbox } = makeOutbox();
  const waiting = assert.rejects(outbox.add(publish("1")), failing("closed"));
  outbox.close(new RealtimeError("closed", "Closed.", false));

  await waiting;
  await assert.rejects(outbox.add(publish("2")), failing("closed"));
});

test("what others have left too long ago is given up and not sent", async () => {
  const late: (string | undefined)[] = [];
  const item = { request: publish("a"), at: Date.now() - 61_000 };
  const store = { open: async (take: (items: readonly typeof item[]) => void) => take([item]), put: () => {}, delete: () => {}, close: () => {} };
  const outbox = new Outbox({ count: 100, age: 60_000 }, () => 0, store, outcome => late.push("error" in outcome ? outcome.error.code : undefined));
  const server = new Server();
  outbox.connect(server.send);

  outbox.open();
  await settled();

  assert.deepEqual([server.ids, late, outbox.count], [[], ["unknown"], 0]);
});

test("what waits can be seen, the oldest first, and each change is told", async () => {
  const seen: (string | undefined)[][] = [];
  let leave!: (items: readonly OutboxItem[]) => void;
  const store = { open: async (take: typeof leave) => { leave = take; }, put: () => {}, delete: () => {}, close: () => {} };
  const server = new Server();
  const outbox = new Outbox({ count: 100, age: Infinity }, () => 0, store, undefined, () => seen.push(outbox.items.map(item => item.request.id)));
  outbox.open();
  await settled();

  const answers = [outbox.add(publish("2", "room:b"), 2_000), outbox.add(publish("3"), 3_000)];
  leave([{ request: publish("1"), at: 1_000 }]);
  assert.deepEqual(seen, [["2"], ["2", "3"], ["1", "2", "3"]]);

  outbox.connect(server.send);
  await server.answer([answer(1)]);
  await server.answer([answer(1), answer(2)]);
  await Promise.all(answers);
  assert.deepEqual(seen.slice(3), [["1", "3"], ["1"], []]);
});

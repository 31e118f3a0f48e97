import assert from "node:assert/strict";
import { test } from "node:test";
import { RealtimeError } from "../src/errors.js";
import { OptimisticState } from "../src/optimistic.js";
import type { PublishReply, TopicEvent } from "../src/wire.js";
import { event, settled } from "./support.js";

/** A server that answers when it is told to. */
class Server {
  readonly ids: string[] = [];
  answer!: (offset: number) => void;
  refuse!: (code: string) => void;

  publish = (_topic: string, _event: string, _payload: unknown, options?: { readonly id?: string }) => {
    this.ids.push(options!.id!);
    return new Promise<PublishReply>((resolve, reject) => {
      this.answer = offset => resolve({ position: { epoch: "e", offset }, timestamp: "", duplicate: false });
      this.refuse = code => reject(new RealtimeError(code, "No.", false));
    });
  };
}

const sum = () => new OptimisticState(0, (state, change) => state + (change.payload as number));
const added = (offset: number, id: string, payload: number): TopicEvent => ({ ...event(offset), id, data: { ...event(offset).data, payload } });

test("a change is shown at once, and once when it comes back as an event", async () => {
  const [state, server] = [sum(), new Server()];
  const seen: number[] = [];
  state.onChange(value => seen.push(value));

  const published = state.publish(server, "room:a", "app:add", 5);
  assert.equal(state.value, 5);
  state.receive(added(1, "another", 1));
  assert.equal(state.value, 6);
  server.answer(2);
  await published;
  assert.deepEqual([state.value, state.pending.length], [6, 1]);
  state.receive(added(2, server.ids[0]!, 5));

  assert.deepEqual([state.value, state.pending.length], [6, 0]);
  assert.deepEqual(new Set(seen), new Set([5, 6]));
});

test("one that comes back before its answer counts once", async () => {
  const [state, server] = [sum(), new Server()];
  const published = state.publish(server, "room:a", "app:add", 5);
  state.receive(added(1, server.ids[0]!, 5));
  server.answer(1);
  await published;
  assert.deepEqual([state.value, state.pending.length], [5, 0]);
});

test("a change that is refused is taken back, and those behind it stay", async () => {
  const state = sum();
  const [first, second] = [new Server(), new Server()];
  const refused = assert.rejects(state.publish(first, "room:a", "app:add", 5));
  void state.publish(second, "room:a", "app:add", 2);
  first.refuse("forbidden");
  await refused;
  await settled();
  assert.deepEqual([state.value, state.pending.length], [2, 1]);
});

test("a state that was read again has in it what was answered before", async () => {
  const [state, server] = [sum(), new Server()];
  const published = state.publish(server, "room:a", "app:add", 5);
  server.answer(7);
  await published;
  state.reset(100, { epoch: "e", offset: 9 });
  assert.deepEqual([state.value, state.pending.length], [100, 0]);
});

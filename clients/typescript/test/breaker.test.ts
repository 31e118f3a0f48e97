import assert from "node:assert/strict";
import { test } from "node:test";
import { disconnected, RealtimeError } from "../src/errors.js";
import { Breaker } from "../src/transports/breaker.js";

const codeIs = (code: string) => (error: unknown) => error instanceof RealtimeError && error.code === code;
const failing = () => Promise.reject(disconnected());

test("after so many failures in a row nothing is sent until the pause is over, and then one request at a time", async t => {
  t.mock.timers.enable({ apis: ["Date"] });
  const breaker = new Breaker({ failures: 3, pause: 1_000 });
  for (let i = 0; i < 3; i++) await assert.rejects(breaker.pass(failing), codeIs("disconnected"));

  let sent = 0;
  const send = () => Promise.resolve(++sent);
  await assert.rejects(breaker.pass(send), codeIs("circuit_open"));
  t.mock.timers.tick(1_000);
  let answer!: (value: number) => void;
  const trial = breaker.pass(() => new Promise<number>(resolve => { answer = resolve; }));
  await assert.rejects(breaker.pass(send), codeIs("circuit_open"));
  assert.equal(sent, 0);

  answer(1);
  await trial;
  await breaker.pass(send);
  assert.equal(sent, 1);
});

test("a trial that fails opens it for another pause", async t => {
  t.mock.timers.enable({ apis: ["Date"] });
  const breaker = new Breaker({ failures: 1, pause: 1_000 });
  await assert.rejects(breaker.pass(failing), codeIs("disconnected"));
  t.mock.timers.tick(1_000);
  await assert.rejects(breaker.pass(failing), codeIs("disconnected"));
  t.mock.timers.tick(999);
  await assert.rejects(breaker.pass(failing), codeIs("circuit_open"));
});

test("a server that refuses answers, and what was given up is no failure of its", async () => {
  const breaker = new Breaker({ failures: 2, pause: 60_000 });
  await assert.rejects(breaker.pass(failing), codeIs("disconnected"));
  await assert.rejects(breaker.pass(() => Promise.reject(new RealtimeError("forbidden", "No.", false))), codeIs("forbidden"));
  await assert.rejects(breaker.pass(failing), codeIs("disconnected"));
  await assert.rejects(breaker.pass(failing, AbortSignal.abort()), codeIs("disconnected"));
  await breaker.pass(() => Promise.resolve(1));
});

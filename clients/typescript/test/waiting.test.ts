import assert from "node:assert/strict";
import { test } from "node:test";
import { RealtimeError } from "../src/errors.js";
import { untilAborted, untilSignalled, withTimeout } from "../src/waiting.js";
import { settled } from "./support.js";

const isDisconnected = (error: unknown) => error instanceof RealtimeError && error.code === "disconnected";

// A WebSocket whose opening began after its client had been closed failed with nobody listening, which ends a Node process.
test("what fails after nobody waits any more is nobody's error", async t => {
  const unhandled = t.mock.fn();
  process.once("unhandledRejection", unhandled);
  let refuse!: (reason: Error) => void;
  const opening = new Promise<never>((_, reject) => { refuse = reject; });

  await assert.rejects(untilAborted(withTimeout(opening, 60_000), AbortSignal.abort()), isDisconnected);
  refuse(new Error("refused"));
  await settled();

  assert.equal(unhandled.mock.callCount(), 0);
  process.removeListener("unhandledRejection", unhandled);
});

test("what the application gives up fails with its own reason", async () => {
  const reason = new Error("the user has left");
  await assert.rejects(untilSignalled(new Promise(() => { /* never */ }), AbortSignal.abort(reason)), (error: unknown) => error === reason);
  assert.equal(await untilSignalled(Promise.resolve(1), undefined), 1);
});

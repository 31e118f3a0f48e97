import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "./backoff.js";

test("waits stay between 0.2 and 10 s and may grow with each attempt", () => {
  for (let attempt = 0; attempt < 2_000; attempt++) {
    assert.equal(backoff(attempt, 0), 200);
    assert.ok(backoff(attempt, 0.999999) <= 10_000);
    assert.ok(backoff(attempt, 0.5) <= backoff(attempt + 1, 0.5));
  }
  assert.equal(backoff(0, 1), 1_000);
  assert.equal(backoff(9, 1), 10_000);
});

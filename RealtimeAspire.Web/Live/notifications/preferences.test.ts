import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, counts, quietHours, type Preferences } from "./preferences.js";

const some: Preferences = { kinds: { mention: { inbox: true, push: true, email: false }, badge: { inbox: false, push: false, email: false } }, quietHours: null };

test("a choice changes one channel of one kind", () => {
  assert.deepEqual(choose(some, "mention", "email", true).kinds, { ...some.kinds, mention: { inbox: true, push: true, email: true } });
  assert.equal(choose(some, "unknown", "push", true), some);
});

test("what the bell does not have is told nowhere", () => {
  assert.equal(counts(some, "mention", "push"), true);
  assert.equal(counts(some, "badge", "push"), false);
  assert.equal(counts(some, "badge", "inbox"), true);
});

test("quiet hours begin and end, and not at once", () => {
  assert.deepEqual(quietHours("22:00", "07:00", "Europe/Berlin"), { from: "22:00", to: "07:00", timeZone: "Europe/Berlin" });
  assert.equal(quietHours("22:00", "22:00", "Europe/Berlin"), undefined);
  assert.equal(quietHours("", "07:00", "Europe/Berlin"), undefined);
});

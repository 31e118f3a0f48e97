import assert from "node:assert/strict";
import { test } from "node:test";
import { lastSeen, type Found } from "./found.js";

const now = Date.parse("2026-11-29T12:00:00Z");
const seen = (lastSeenAt: string): Found => ({ user: "ada", status: "offline", lastSeen: lastSeenAt });

test("when somebody was last seen is said in words, and as a date when it is long ago", () => {
  assert.equal(lastSeen(seen("2026-11-29T11:59:30Z"), now, "en"), "Last seen just now");
  assert.equal(lastSeen(seen("2026-11-29T11:15:00Z"), now, "en"), "Last seen 45 minutes ago");
  assert.equal(lastSeen(seen("2026-11-29T06:59:00Z"), now, "en"), "Last seen 5 hours ago");
  assert.equal(lastSeen(seen("2026-11-28T10:00:00Z"), now, "en"), "Last seen yesterday");
  assert.equal(lastSeen(seen("2026-10-02T10:00:00Z"), now, "en"), "Last seen Oct 2, 2026");
});

test("who is there is not said to have been seen", () => {
  assert.equal(lastSeen({ user: "ada", status: "online" }, now, "en"), "");
});

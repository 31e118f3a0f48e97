import assert from "node:assert/strict";
import { test } from "node:test";
import type { TopicEvent } from "@realtimeaspire/client";
import { hear, openInbox, type Entry, type Inbox } from "./inbox.js";

const entry = (offset: number, readAt: string | null = null): Entry =>
  ({ id: `n${offset}`, offset, title: `title ${offset}`, body: null, link: null, createdAt: new Date(offset * 1000).toISOString(), readAt });

function told(offset: number, event: string, payload: unknown): TopicEvent {
  return { topic: "user:ada", event: `notification:${event}`, offset, epoch: "x7Qa", id: `e${offset}`, v: 1, trace_id: null, data: { entity_id: null, payload, user_id: null, timestamp: "" } };
}

const shown = (inbox: Inbox) => inbox.notifications.map(({ id, read }) => `${id}${read ? "" : "*"}`).join(" ");

test("what is new comes first, in the place of what it stands in for", () => {
  const inbox = openInbox([entry(2), entry(1, "2026-11-29T00:00:00Z")], 1);
  const after = hear(inbox, told(3, "new", { ...entry(3), replaces: ["n2"], unread: 1 }));
  assert.equal(shown(after), "n3* n1");
  assert.equal(after.unread, 1);
});

test("what was read on another device is read here, by name or up to an offset", () => {
  const inbox = openInbox([entry(3), entry(2), entry(1)], 3);
  assert.equal(shown(hear(inbox, told(4, "read", { ids: ["n2"], upTo: null, unread: 2 }))), "n3* n2 n1*");
  const all = hear(inbox, told(4, "read", { ids: null, upTo: 2, unread: 1 }));
  assert.deepEqual([shown(all), all.unread], ["n3* n2 n1", 1]);
});

test("what has left the inbox is gone, and what says nothing of it changes nothing", () => {
  const inbox = openInbox([entry(2), entry(1)], 2);
  assert.equal(shown(hear(inbox, told(3, "removed", { ids: ["n2"], why: "expired", unread: 1 }))), "n1*");
  assert.equal(hear(inbox, told(3, "other", { unread: 7 })), inbox);
  assert.equal(hear(inbox, { ...told(3, "new", { id: "x" }) }), inbox);
});

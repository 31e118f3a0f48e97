import assert from "node:assert/strict";
import { test } from "node:test";
import type { TopicEvent } from "@realtimeaspire/client";
import { OrderCheck } from "./orderCheck.js";

const event = (offset: number, epoch = "e") => ({ topic: "room:lab", event: "chat:message", offset, epoch }) as TopicEvent;

function check(...events: TopicEvent[]): OrderCheck {
  const order = new OrderCheck();
  events.forEach(one => order.take(one));
  return order;
}

test("events in order are neither holes nor repeats, wherever they begin", () => {
  const order = check(event(7), event(8), event(9));
  assert.deepEqual([order.count, order.holes, order.repeats], [3, 0, 0]);
});

test("each event that is missing is a hole, and one that comes again or too late a repeat", () => {
  const order = check(event(1), event(4), event(4), event(2), event(5));
  assert.deepEqual([order.count, order.holes, order.repeats], [5, 2, 2]);
});

test("another log is a hole unless the reader was told", () => {
  assert.equal(check(event(5), event(1, "f")).holes, 1);

  const order = check(event(5));
  order.skipTo({ epoch: "f", offset: 3 });
  order.take(event(4, "f"));
  assert.equal(order.holes, 0);
});

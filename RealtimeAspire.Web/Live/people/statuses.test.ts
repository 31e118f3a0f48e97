import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { PresenceStatus } from "@realtimeaspire/client";
import type { Found } from "./found.js";
import { Statuses } from "./statuses.js";

function statuses(context: TestContext, how: Record<string, PresenceStatus>) {
  const asked: string[] = [];
  const told: string[] = [];
  const made = new Statuses(async user => {
    asked.push(user);
    const status = how[user];
    if (!status) throw Object.assign(new Error("no"), { code: "forbidden" });
    return { user, status };
  });
  const watch = (user: string) => {
    const leave = made.watch(user, ({ user, status }: Found) => void told.push(`${user} ${status}`));
    // Nobody is asked for any more then.
    context.after(() => {
      leave();
      return made.refresh();
    });
    return leave;
  };
  return { made, asked, told, watch };
}

test("who is looked at is asked for, once for all who look", async context => {
  const { made, asked, told, watch } = statuses(context, { ada: "online", bob: "away" });
  const leave = [watch("ada"), watch("ada"), watch("bob")];
  await made.refresh();
  assert.deepEqual(asked, ["ada", "bob"]);
  assert.deepEqual(told, ["ada online", "ada online", "bob away"]);
  for (const one of leave) one();
  await made.refresh();
  assert.equal(asked.length, 2);
});

test("what a room tells counts at once and for as long as he is there", async context => {
  const { made, asked, told, watch } = statuses(context, { ada: "online" });
  watch("ada");
  made.seen("ada", "dnd");
  made.seen("ada", "dnd");
  await made.refresh();
  assert.deepEqual([asked, told], [[], ["ada dnd"]]);

  // He has left that room, and is in another.
  made.seen("ada");
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual([asked, told], [["ada"], ["ada dnd", "ada online"]]);
});

test("what is known is told at once to who begins to look", async context => {
  const { made, told, watch } = statuses(context, {});
  made.seen("ada", "away");
  watch("ada")();
  assert.deepEqual(told, ["ada away"]);
});

test("who may not know it does not ask again", async context => {
  const { made, asked, watch } = statuses(context, {});
  watch("ada");
  watch("bob");
  await made.refresh();
  await made.refresh();
  assert.deepEqual(asked, ["ada"]);
});

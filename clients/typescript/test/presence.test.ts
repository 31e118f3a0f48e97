import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Cursors } from "../src/cursors.js";
import { Presence, watchActivity } from "../src/presence.js";
import type { Question } from "../src/link.js";
import type { ConnectionState } from "../src/state.js";
import { TypingUsers } from "../src/typing.js";
import type { PresentUser, TopicEvent } from "../src/wire.js";
import { event, settled } from "./support.js";

const told = (name: string, payload: unknown, user: string | null = null): TopicEvent =>
  ({ ...event(), event: name, data: { ...event().data, payload, user_id: user } });
const user = (name: string, status: PresentUser["status"] = "online"): PresentUser => ({ user: name, status, connections: [{ transport: "hub", active: true }] });
const members = (...users: PresentUser[]) => told("presence:members", { members: users, occupancy: { connections: users.length, users: users.length }, complete: true });

/** Keeps what is published. */
class Server {
  readonly sent: { readonly event: string; readonly payload: unknown }[] = [];
  publish = (_topic: string, name: string, payload: unknown) => {
    this.sent.push({ event: name, payload });
    return Promise.resolve({ position: null, timestamp: "", duplicate: false });
  };
}

test("a list is told first and then what changes", () => {
  const presence = new Presence();
  const seen: string[] = [];
  presence.on("joined", ({ user: name }) => seen.push(`+${name}`));
  presence.on("updated", ({ user: name, status }) => seen.push(`${name}:${status}`));
  presence.on("left", name => seen.push(`-${name}`));

  presence.receive(members(user("bob")));
  presence.receive(told("presence:join", { members: [user("ada")] }));
  presence.receive(told("presence:update", { members: [user("ada", "dnd")] }));
  presence.receive(told("presence:leave", { users: ["bob"] }));

  assert.deepEqual(seen, ["+bob", "+ada", "ada:dnd", "-bob"]);
  assert.deepEqual([presence.users.map(one => one.user), presence.occupancy], [["ada"], { connections: 1, users: 1 }]);
});

test("a list that is told again after a reconnect tells what is different", () => {
  const presence = new Presence();
  presence.receive(members(user("ada"), user("bob")));
  const seen: string[] = [];
  presence.on("joined", ({ user: name }) => seen.push(`+${name}`));
  presence.on("updated", ({ user: name }) => seen.push(name));
  presence.on("left", name => seen.push(`-${name}`));

  presence.receive(members(user("ada"), user("eve")));
  assert.deepEqual(seen, ["-bob", "+eve"]);
});

test("a topic that becomes large has only its number kept up", () => {
  const presence = new Presence();
  presence.receive(members(user("ada")));
  presence.receive(told("presence:members", { members: [], occupancy: { connections: 900, users: 800 }, complete: false }));
  presence.receive(told("presence:occupancy", { connections: 901, users: 801 }));
  assert.deepEqual([presence.isComplete, presence.users, presence.occupancy], [false, [], { connections: 901, users: 801 }]);
});

test("what somebody publishes under such a name is no word of the server's", () => {
  const presence = new Presence();
  const others: TopicEvent[] = [];
  const { onEvent } = presence.options({ onEvent: other => { others.push(other); } });
  void onEvent!(told("presence:join", { members: [user("ada")] }, "mallory"));
  void onEvent!({ ...told("presence:join", { members: [user("ada")] }), offset: 1, epoch: "e" });
  assert.deepEqual([presence.users.length, others.length], [0, 2]);
});

test("typing is said once in a while and holds for six seconds, or until he stops or leaves", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const server = new Server();
    const presence = new Presence();
    presence.receive(members(user("ada")));
    const typing = new TypingUsers(server, "room:a", presence);
    for (let i = 0; i < 50; i++) typing.typed();
    typing.stopped();
    typing.stopped();
    assert.deepEqual(server.sent.map(({ payload }) => payload), [{ active: true }, { active: false }]);

    const seen: string[] = [];
    typing.onChange(users => seen.push(users.join()));
    for (const name of ["ada", "bob", "eve"]) typing.receive(told("typing", { active: true }, name));
    mock.timers.tick(5_000);
    typing.receive(told("typing", { active: true }, "ada"));
    typing.receive(told("typing", { active: false }, "bob"));
    mock.timers.tick(1_500);
    assert.deepEqual(typing.users, ["ada"]);
    presence.receive(told("presence:leave", { users: ["ada"] }));
    typing.receive(told("typing", { active: true }, "joe"));
    assert.equal(typing.receive({ ...told("chat:message", { text: "hi" }, "joe"), offset: 1, epoch: "e" }), false);
    assert.deepEqual(seen, ["ada", "ada,bob", "ada,bob,eve", "ada,eve", "ada", "", "joe", ""]);
    typing.close();
  } finally {
    mock.timers.reset();
  }
});

test("a pointer says the newest place, one after the other has arrived", async () => {
  const server = new Server();
  const cursors = new Cursors(server, "room:a");
  for (let x = 0; x <= 100; x++) cursors.move({ x, y: 0 });
  while (server.sent.length < 2) await new Promise(resolve => setTimeout(resolve, 5));
  assert.deepEqual(server.sent.map(({ payload }) => payload), [{ x: 0, y: 0 }, { x: 100, y: 0 }]);
  cursors.close();
});

test("a cursor goes to its place and does not jump, and is gone with its user", () => {
  const presence = new Presence();
  presence.receive(members(user("ada")));
  const cursors = new Cursors(new Server(), "room:a", { presence, smoothing: 100 });
  const now = 1_000;
  const clock = mock.method(performance, "now", () => now);
  try {
    cursors.receive(told("cursor", { x: 0, y: 0 }, "ada"));
    cursors.receive(told("cursor", { x: 100, y: 50, colour: "#08f" }, "ada"));
  } finally {
    clock.mock.restore();
  }
  assert.deepEqual(cursors.smoothed(now + 50).get("ada"), { x: 50, y: 25, colour: "#08f" });
  assert.deepEqual(cursors.smoothed(now + 1_000).get("ada"), { x: 100, y: 50, colour: "#08f" });
  presence.receive(told("presence:leave", { users: ["ada"] }));
  assert.equal(cursors.all.size, 0);
  cursors.close();
});

test("nobody has used it for a time: away; what is said is said again when the client comes back", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const asked: object[] = [];
    let state: (state: ConnectionState) => void = () => {};
    const client = {
      ask: <T>({ argument }: Question) => { asked.push(argument); return Promise.resolve(undefined as T); },
      onState: (listener: (state: ConnectionState) => void) => { state = listener; return () => {}; },
    };
    const target = new EventTarget() as Document;
    const activity = watchActivity(client, { awayAfter: 1_000, target });
    activity.say({ data: { page: 1 } });
    mock.timers.tick(1_000);
    target.dispatchEvent(new Event("keydown"));
    state({ name: "connected" } as ConnectionState);
    await settled();
    assert.deepEqual(asked, [{ active: true, data: { page: 1 } }, { active: false, data: { page: 1 } }, { active: true, data: { page: 1 } }, { active: true, data: { page: 1 } }]);
    activity.stop();
  } finally {
    mock.timers.reset();
  }
});

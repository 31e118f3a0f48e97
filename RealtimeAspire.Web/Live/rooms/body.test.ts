import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, fromPayload, saysFilesOnly, textOf, toPayload, type FileInfo } from "./body.js";
import { peopleOf } from "./membersPanel.js";

const file = (id: string, name = ""): FileInfo => ({ id, name, type: "", bytes: 0, width: null, height: null });

test("what is sent is read as it was, and says nothing of what is not there", () => {
  assert.deepEqual(toPayload(bodyOf("hi")), { text: "hi" });
  const body = bodyOf("hi @ada", { replyTo: 7, thread: 3, mentions: ["ada"], files: [file("f1")] });
  assert.deepEqual(toPayload(body), { text: "hi @ada", replyTo: "7", thread: "3", mentions: ["ada"], attachments: ["f1"] });
  assert.deepEqual(fromPayload(toPayload(body)), body);
});

test("what others send may be anything", () => {
  for (const payload of [null, undefined, 7, "text", {}, { text: 7 }]) assert.equal(fromPayload(payload), undefined);
  assert.deepEqual(fromPayload({ text: "x", replyTo: "1x", thread: 3, mentions: "ada", attachments: [7, "f1"] }), bodyOf("x", { files: [file("f1")] }));
});

test("a message of files alone has their names as its text, and is shown without it", () => {
  const files = [file("f1", "a.png"), file("f2", "b.txt")];
  assert.equal(textOf("", files), "a.png, b.txt");
  assert.equal(textOf("look", files), "look");
  assert.deepEqual([saysFilesOnly({ text: "a.png, b.txt", files }), saysFilesOnly({ text: "look", files }), saysFilesOnly({ text: "", files: [] })], [true, false, false]);
});

test("who is here comes before who is not, each group by name", () => {
  const here = (user: string, status: "online" | "away") => ({ user, status, connections: [] });
  const people = peopleOf([{ user: "zoe", role: "owner" }, { user: "eve", role: "member" }], [here("joe", "away"), here("zoe", "online"), here("ada", "online")]);
  assert.deepEqual(people.map(({ user, role, status }) => [user, role, status]), [["ada", null, "online"], ["zoe", "owner", "online"], ["joe", null, "away"], ["eve", "member", "offline"]]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, matching, mentionsIn, wantedAt } from "./completion.js";

test("a mention is offered after a sign that begins a word, up to the caret", () => {
  assert.deepEqual(wantedAt("hi @gr", 6), { kind: "mention", from: 3, query: "gr" });
  assert.deepEqual(wantedAt("@", 1), { kind: "mention", from: 0, query: "" });
  assert.equal(wantedAt("me@gr", 5), undefined);
  assert.equal(wantedAt("hi @gr and", 10), undefined);
  assert.deepEqual(wantedAt("hi @gr and", 6), { kind: "mention", from: 3, query: "gr" });
});

test("a command is offered only where the message begins", () => {
  assert.deepEqual(wantedAt("/to", 3), { kind: "command", from: 0, query: "to" });
  assert.equal(wantedAt("see /to", 7), undefined);
  assert.equal(wantedAt("/topic new", 10), undefined);
});

test("who begins so comes before who has it in his name", () => {
  assert.deepEqual(matching("a", ["grace", "ada", "alan", "bob"], name => name), ["ada", "alan", "grace"]);
  assert.deepEqual(matching("", ["grace", "ada"], name => name), ["grace", "ada"]);
});

test("what is chosen takes the place of what was written of it, with one space behind", () => {
  assert.deepEqual(complete("hi @gr, you", 6, { kind: "mention", from: 3, query: "gr" }, "grace"), { text: "hi @grace , you", caret: 10 });
  assert.deepEqual(complete("hi @gr you", 6, { kind: "mention", from: 3, query: "gr" }, "grace"), { text: "hi @grace you", caret: 10 });
});

test("mentioned is who is known and stands in the text, outside of code", () => {
  assert.deepEqual(mentionsIn("@ada, @bob and `@eve`\n\n> @joe\n\n- **@ada**", ["ada", "eve", "joe"]), ["ada", "joe"]);
});

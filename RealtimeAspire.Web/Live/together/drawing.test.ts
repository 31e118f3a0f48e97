import assert from "node:assert/strict";
import { test } from "node:test";
import { canvasChange, canvasClear, canvasNote, canvasRemove, canvasStroke, emptyDrawing, fold, type Act, type Drawing } from "./drawing.js";

const act = (event: string, entityId: string | null, author: string | null, payload: unknown): Act => ({ event, entityId, author, payload });
const stroke = (id: string, author = "ada", more: object = {}) => act(canvasStroke, id, author, { points: [0, 0, 10, 10], colour: "red", width: 4, ...more });
const note = (id: string, author = "ada", more: object = {}) => act(canvasNote, id, author, { text: id, x: 1, y: 2, colour: "blue", ...more });
const all = (drawing: Drawing) => [...drawing.values()];

/** The same numbers each time. */
function random(seed: number): () => number {
  return () => ((seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff);
}

function anything(next: () => number): Act {
  const id = `i${Math.floor(next() * 12)}`;
  const author = [`ada`, `grace`, null][Math.floor(next() * 3)]!;
  const which = next();
  return which < 0.35 ? stroke(id, author ?? "ada", { width: 1 + Math.floor(next() * 8) })
    : which < 0.6 ? note(id, author ?? "ada", { x: Math.floor(next() * 100) })
    : which < 0.8 ? act(canvasChange, id, author, { x: Math.floor(next() * 100), text: next() < 0.5 ? "other" : null })
    : which < 0.96 ? act(canvasRemove, id, author, {})
    : act(canvasClear, null, author, {});
}

test("a drawing is the same in whatever chunks its events come", () => {
  const next = random(7);
  for (let run = 0; run < 200; run++) {
    const acts = Array.from({ length: 60 }, () => anything(next));
    const whole = fold(emptyDrawing, acts);
    let chunked = emptyDrawing;
    for (let at = 0; at < acts.length;) {
      const to = at + 1 + Math.floor(next() * 9);
      chunked = fold(chunked, acts.slice(at, to));
      at = to;
    }
    assert.deepEqual(all(chunked), all(whole));
  }
});

test("folding changes no drawing that there was", () => {
  const before = fold(emptyDrawing, [stroke("s"), note("n")]);
  const kept = all(before);
  fold(before, [act(canvasChange, "n", "grace", { x: 9 }), act(canvasRemove, "s", "ada", {}), act(canvasClear, null, "ada", {})]);
  assert.deepEqual(all(before), kept);
});

test("only who has made something, or the server, takes it back", () => {
  const drawing = fold(emptyDrawing, [stroke("s"), note("n")]);
  assert.equal(fold(drawing, [act(canvasRemove, "s", "grace", {})]), drawing);
  assert.deepEqual(all(fold(drawing, [act(canvasRemove, "s", "ada", {}), act(canvasRemove, "n", null, {})])), []);
});

test("everybody moves a note, and what is not said of it stays; it is still its author's", () => {
  const [moved] = all(fold(emptyDrawing, [note("n"), act(canvasChange, "n", "grace", { x: 50, y: null })]));
  assert.deepEqual(moved, { kind: "note", id: "n", author: "ada", text: "n", x: 50, y: 2, colour: "blue" });
});

test("what was cleared does not come back with a change that comes too late", () => {
  const drawing = fold(emptyDrawing, [note("n"), act(canvasClear, null, "grace", {}), act(canvasChange, "n", "ada", { x: 3 })]);
  assert.equal(drawing.size, 0);
});

test("a name belongs to whoever used it first", () => {
  assert.equal(all(fold(emptyDrawing, [stroke("s"), stroke("s", "grace"), note("s", "grace")]))[0]!.author, "ada");
});

test("what has not the expected form changes nothing, and an unknown colour is ink", () => {
  const wrong = [
    stroke("s", "ada", { points: [] }), stroke("s", "ada", { points: [1] }), stroke("s", "ada", { points: [1, "2"] }), stroke("s", "ada", { points: [1, 1e300] }),
    stroke("s", "ada", { width: 0 }), stroke("s", "ada", { points: Array(1_026).fill(1) }), act(canvasStroke, "s", "ada", null), act(canvasStroke, null, "ada", {}),
    note("n", "ada", { text: "" }), note("n", "ada", { text: "x".repeat(501) }), note("n", "ada", { x: null }), act("canvas:other", "n", "ada", {}),
  ];
  for (const one of wrong) assert.equal(fold(emptyDrawing, [one]), emptyDrawing, JSON.stringify(one));
  assert.equal(all(fold(emptyDrawing, [stroke("s", "ada", { colour: "javascript:" })]))[0]!.colour, "ink");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { simplify, split } from "./line.js";
import { boxOf, fit, pan, toScreen, toSurface, zoom } from "./view.js";

test("a straight line is its two ends, and a dot one point", () => {
  assert.deepEqual(simplify([0, 0, 1, 1, 2, 2, 3, 3.04, 10, 10], 0.5), [0, 0, 10, 10]);
  assert.deepEqual(simplify([3, 4, 3, 4], 0.5), [3, 4]);
  assert.deepEqual(simplify([3, 4], 0.5), [3, 4]);
});

test("no point of a line is further from what is left of it than the tolerance", () => {
  const circle = Array.from({ length: 400 }, (_, i) => [100 * Math.cos(i / 60), 100 * Math.sin(i / 60)]).flat();
  const line = simplify(circle, 0.5);
  assert.ok(line.length < circle.length / 6, `${line.length} numbers of ${circle.length}`);
  for (let at = 0; at < circle.length; at += 2) {
    const away = Math.min(...Array.from({ length: line.length / 2 - 1 }, (_, i) => distance(circle[at]!, circle[at + 1]!, line.slice(i * 2, i * 2 + 4))));
    assert.ok(away <= 0.6, `${away}`);
  }
});

test("a line that is too long becomes several, each from where the one before it ends", () => {
  const parts = split([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], 6);
  assert.deepEqual(parts, [[0, 0, 1, 1, 2, 2], [2, 2, 3, 3, 4, 4]]);
  assert.deepEqual(split([0, 0, 1, 1, 2, 2], 6), [[0, 0, 1, 1, 2, 2]]);
  assert.deepEqual(split([5, 5]), [[5, 5]]);
});

test("zooming keeps what is under the finger, panning moves by pixels, and both are undone by their opposites", () => {
  const view = { x: 10, y: -20, scale: 0.5 };
  const finger = { x: 120, y: 80 };
  const zoomed = zoom(view, 2, finger);
  assert.deepEqual(toSurface(zoomed, finger), toSurface(view, finger));
  assert.deepEqual(zoom(zoomed, 0.5, finger), view);
  assert.deepEqual(pan(pan(view, 7, 9), -7, -9), view);
  assert.deepEqual(toScreen(view, toSurface(view, finger)), finger);
});

test("all there is fits on every screen", () => {
  const drawing = new Map([["s", { kind: "stroke" as const, id: "s", author: "ada", points: [-2_000, 0, 3_000, 900], colour: "ink" as const, width: 4 }]]);
  for (const screen of [{ width: 390, height: 700 }, { width: 1_280, height: 720 }]) {
    const view = fit(screen, boxOf(drawing));
    for (const corner of [{ x: -2_000, y: 0 }, { x: 3_000, y: 900 }]) {
      const { x, y } = toScreen(view, corner);
      assert.ok(x >= 0 && x <= screen.width && y >= 0 && y <= screen.height, `${x}, ${y}`);
    }
  }
  assert.equal(boxOf(new Map()), undefined);
});

function distance(x: number, y: number, [fromX, fromY, toX, toY]: number[]): number {
  const [wayX, wayY] = [toX! - fromX!, toY! - fromY!];
  const along = Math.min(1, Math.max(0, ((x - fromX!) * wayX + (y - fromY!) * wayY) / (wayX * wayX + wayY * wayY || 1)));
  return Math.hypot(x - fromX! - along * wayX, y - fromY! - along * wayY);
}

// Lines as they are drawn by hand, made small: what nobody can see of them is left out.

import { maxNumbers } from "./drawing.js";

/** So that a line that goes on and on is published now and then. */
export const mostRaw = 4 * maxNumbers;

/** The line without the points that lie closer to it than `tolerance`, rounded to a tenth (Ramer, Douglas, Peucker). */
export function simplify(points: readonly number[], tolerance: number): number[] {
  const kept = new Set([0, points.length - 2]);
  const parts: [number, number][] = [[0, points.length - 2]];
  for (let part = parts.pop(); part; part = parts.pop()) {
    const [from, to] = part;
    let farthest = -1;
    let distance = tolerance;
    for (let at = from + 2; at < to; at += 2) {
      const away = distanceOf(points, at, from, to);
      if (away > distance) [farthest, distance] = [at, away];
    }
    if (farthest < 0) continue;
    kept.add(farthest);
    parts.push([from, farthest], [farthest, to]);
  }
  const line: number[] = [];
  for (const at of [...kept].sort((a, b) => a - b)) line.push(tenths(points[at]!), tenths(points[at + 1]!));
  return line.length === 4 && line[0] === line[2] && line[1] === line[3] ? line.slice(0, 2) : line;
}

/** In parts that an event can hold; each begins where the one before it ends. */
export function split(points: readonly number[], most = maxNumbers): number[][] {
  const parts: number[][] = [];
  for (let from = 0; from === 0 || from < points.length - 2; from += most - 2) parts.push(points.slice(from, from + most));
  return parts;
}

/** How far a point is from the piece of the line between two others. */
function distanceOf(points: readonly number[], at: number, from: number, to: number): number {
  const [x, y, fromX, fromY] = [points[at]!, points[at + 1]!, points[from]!, points[from + 1]!];
  const [wayX, wayY] = [points[to]! - fromX, points[to + 1]! - fromY];
  const length = wayX * wayX + wayY * wayY;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - fromX) * wayX + (y - fromY) * wayY) / length));
  return Math.hypot(x - fromX - along * wayX, y - fromY - along * wayY);
}

export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

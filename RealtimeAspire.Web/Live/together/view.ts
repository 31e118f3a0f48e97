// Which part of the surface is on the screen, as a value. The surface has no edges; at scale 1 its units are CSS pixels.

import type { Drawing } from "./drawing.js";

export interface View {
  /** What of the surface is at the screen's upper left corner. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Place, Size { }

export const noteSize: Size = { width: 180, height: 120 };

const scales = { least: 0.03, most: 6 };
/** What a page with nothing on it shows: on every screen the same. */
const first: Box = { x: -600, y: -375, width: 1_200, height: 750 };
const margin = 0.08;

export function toSurface(view: View, { x, y }: Place): Place {
  return { x: view.x + x / view.scale, y: view.y + y / view.scale };
}

export function toScreen(view: View, { x, y }: Place): Place {
  return { x: (x - view.x) * view.scale, y: (y - view.y) * view.scale };
}

/** The surface follows by so many pixels. */
export function pan(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale };
}

/** What is at a place of the screen stays there. */
export function zoom(view: View, by: number, at: Place): View {
  const scale = Math.min(scales.most, Math.max(scales.least, view.scale * by));
  const { x, y } = toSurface(view, at);
  return { scale, x: x - at.x / scale, y: y - at.y / scale };
}

/** Shows all there is, and no larger than it was drawn. */
export function fit(screen: Size, box: Box | undefined): View {
  const { x, y, width, height } = box ?? first;
  const room = 1 - 2 * margin;
  const scale = Math.min(1, Math.max(scales.least, Math.min((screen.width * room) / Math.max(1, width), (screen.height * room) / Math.max(1, height))));
  return { scale, x: x + width / 2 - screen.width / 2 / scale, y: y + height / 2 - screen.height / 2 / scale };
}

/** What a drawing takes up; undefined where it is empty. */
export function boxOf(drawing: Drawing): Box | undefined {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (x: number, y: number) => {
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  };
  for (const item of drawing.values()) {
    if (item.kind === "note") {
      take(item.x, item.y);
      take(item.x + noteSize.width, item.y + noteSize.height);
    } else {
      for (let at = 0; at < item.points.length; at += 2) take(item.points[at]!, item.points[at + 1]!);
    }
  }
  return left === Infinity ? undefined : { x: left, y: top, width: right - left, height: bottom - top };
}

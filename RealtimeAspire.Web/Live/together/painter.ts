// Strokes on a <canvas>: those that are there, drawn once and then added to; and those that are just being drawn, in each frame.

import type { Colour, Drawing, Stroke } from "./drawing.js";
import type { Size, View } from "./view.js";

export type Line = Pick<Stroke, "points" | "colour" | "width">;

/** Beyond it a screen looks the same, and takes longer. */
const mostPixels = 2;

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #colourOf: (colour: Colour) => string;
  #size: Size = { width: 0, height: 0 };
  #ratio = 1;
  /** What is on the canvas, in order, as long as nothing else has changed. */
  #painted: string[] = [];
  #view: View | undefined;

  constructor(canvas: HTMLCanvasElement, colourOf: (colour: Colour) => string) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    this.#colourOf = colourOf;
  }

  resize(size: Size): void {
    this.#ratio = Math.min(mostPixels, devicePixelRatio);
    this.#size = size;
    this.#canvas.width = Math.round(size.width * this.#ratio);
    this.#canvas.height = Math.round(size.height * this.#ratio);
    this.forget();
  }

  /** The next paint begins anew: the theme has changed, for one. */
  forget(): void {
    this.#view = undefined;
  }

  paint(drawing: Drawing, view: View): void {
    const strokes = [...drawing.values()].filter(item => item.kind === "stroke");
    // Strokes do not change: the same names in the same order are the same picture.
    const isMore = this.#view === view && strokes.length >= this.#painted.length && this.#painted.every((id, i) => strokes[i]!.id === id);
    const news = isMore ? strokes.slice(this.#painted.length) : strokes;
    if (!isMore) this.#clear(view);
    else if (news.length === 0) return;
    this.#draw(news, view);
    this.#painted = strokes.map(({ id }) => id);
    this.#view = view;
  }

  /** Those alone, and next time others. */
  sketch(lines: readonly Line[], view: View): void {
    this.#clear(view);
    this.#draw(lines, view);
  }

  #clear({ x, y, scale }: View): void {
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const pixels = scale * this.#ratio;
    this.#context.setTransform(pixels, 0, 0, pixels, -x * pixels, -y * pixels);
    this.#context.lineCap = this.#context.lineJoin = "round";
  }

  #draw(lines: readonly Line[], { x, y, scale }: View): void {
    const [right, bottom] = [x + this.#size.width / scale, y + this.#size.height / scale];
    const colours = new Map<Colour, string>();
    for (const { points, colour, width } of lines) {
      if (!isWithin(points, x - width, y - width, right + width, bottom + width)) continue;
      const drawn = colours.get(colour) ?? this.#colourOf(colour);
      colours.set(colour, drawn);
      this.#context.strokeStyle = drawn;
      this.#context.lineWidth = width;
      this.#context.stroke(pathOf(points));
    }
  }
}

/** Through the middle of each piece, so that it has no corners. */
function pathOf(points: readonly number[]): Path2D {
  const path = new Path2D();
  path.moveTo(points[0]!, points[1]!);
  for (let at = 2; at < points.length - 2; at += 2) {
    const [x, y, nextX, nextY] = points.slice(at, at + 4) as [number, number, number, number];
    path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  // A dot is a line to where it is.
  path.lineTo(points.at(-2)!, points.at(-1)!);
  return path;
}

function isWithin(points: readonly number[], left: number, top: number, right: number, bottom: number): boolean {
  let [isLeft, isAbove, isRight, isBelow] = [true, true, true, true];
  for (let at = 0; at < points.length; at += 2) {
    const [x, y] = [points[at]!, points[at + 1]!];
    [isLeft, isAbove, isRight, isBelow] = [isLeft && x < left, isAbove && y < top, isRight && x > right, isBelow && y > bottom];
  }
  return !(isLeft || isAbove || isRight || isBelow);
}

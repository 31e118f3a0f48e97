// A drawing as a value: what the events of a topic canvas:* add up to (docs/canvas.md). No clock, no socket, no DOM.
//
// Laws (drawing.test.ts): it is the same in whatever chunks its events come; an event without the expected form, or that its publisher
// may not do, changes nothing.

export const canvasStroke = "canvas:stroke";
export const canvasNote = "canvas:note";
export const canvasChange = "canvas:change";
export const canvasRemove = "canvas:remove";
export const canvasClear = "canvas:clear";

export function isOfDrawing(event: string): boolean {
  return [canvasStroke, canvasNote, canvasChange, canvasRemove, canvasClear].includes(event);
}

export const colours = ["ink", "red", "orange", "yellow", "green", "teal", "blue", "purple"] as const;
export type Colour = typeof colours[number];

/** As the server has them in its schemas. */
export const maxNumbers = 1_024;
export const maxText = 500;
const widths = { least: 0.5, most: 64 };
/** Nobody comes so far by hand; beyond it numbers are too coarse to draw with. */
const farthest = 1_000_000;

export interface Stroke {
  readonly kind: "stroke";
  readonly id: string;
  readonly author: string;
  /** x and y of each point, one after the other. */
  readonly points: readonly number[];
  readonly colour: Colour;
  readonly width: number;
}

export interface Note {
  readonly kind: "note";
  readonly id: string;
  readonly author: string;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly colour: Colour;
}

export type Item = Stroke | Note;

/** By name, in the order in which they were made: the later ones lie on top. */
export type Drawing = ReadonlyMap<string, Item>;

/** What an event says, or what is to become one. */
export interface Act {
  readonly event: string;
  readonly entityId: string | null;
  /** Null: the server. */
  readonly author: string | null;
  readonly payload: unknown;
}

export const emptyDrawing: Drawing = new Map();

/** The drawing after these, in their order. One copy for all of them: thousands come at once when a page opens. */
export function fold(drawing: Drawing, acts: Iterable<Act>): Drawing {
  const items = new Map(drawing);
  let hasChanged = false;
  for (const act of acts) hasChanged = apply(items, act) || hasChanged;
  return hasChanged ? items : drawing;
}

function apply(items: Map<string, Item>, { event, entityId: id, author, payload }: Act): boolean {
  if (event === canvasClear) {
    const hadAny = items.size > 0;
    items.clear();
    return hadAny;
  }
  if (id === null || id === "") return false;
  const known = items.get(id);
  const said = (payload ?? {}) as Readonly<Record<string, unknown>>;
  switch (event) {
    case canvasStroke:
    case canvasNote: {
      const made = event === canvasStroke ? strokeOf(id, author ?? "", said) : noteOf(id, author ?? "", said);
      // A name belongs to whoever used it first.
      if (known || !made) return false;
      items.set(id, made);
      return true;
    }
    case canvasChange: {
      const changed = known?.kind === "note" && noteOf(id, known.author, { ...known, ...given(said) });
      if (!changed) return false;
      items.set(id, changed);
      return true;
    }
    case canvasRemove:
      return known !== undefined && (author === null || author === known.author) && items.delete(id);
    default:
      return false;
  }
}

/** What is missing, or null, stays as it is. */
function given({ text, x, y }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries({ text, x, y }).filter(([, value]) => value !== undefined && value !== null));
}

function strokeOf(id: string, author: string, { points, colour, width }: Readonly<Record<string, unknown>>): Stroke | undefined {
  const isForm = Array.isArray(points) && points.length >= 2 && points.length <= maxNumbers && points.length % 2 === 0 && points.every(isPlace)
    && typeof width === "number" && width >= widths.least && width <= widths.most;
  return isForm ? { kind: "stroke", id, author, points: points as number[], colour: colourOf(colour), width } : undefined;
}

function noteOf(id: string, author: string, { text, x, y, colour }: Readonly<Record<string, unknown>>): Note | undefined {
  const isForm = typeof text === "string" && text.length > 0 && [...text].length <= maxText && isPlace(x) && isPlace(y);
  return isForm ? { kind: "note", id, author, text, x, y, colour: colourOf(colour) } : undefined;
}

function isPlace(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= farthest;
}

function colourOf(value: unknown): Colour {
  return colours.find(colour => colour === value) ?? "ink";
}

// Which of a room's lines are here: a window without holes, somewhere between its beginning and now. While it does not reach to now,
// what comes meanwhile is gathered ahead of it.

import type { Line, Message } from "./room.js";

/** As many of the newest are kept while the reader is somewhere else. */
const keptAhead = 200;

export interface Window {
  readonly lines: readonly Line[];
  /** Before the oldest line there is nothing. */
  readonly complete: boolean;
  /** The newest lines, where the window ends before them; null: it reaches to them. */
  readonly ahead: Ahead | null;
}

export interface Ahead {
  /** Without holes, up to the newest. */
  readonly lines: readonly Line[];
  /** Offset of the last one that was here and is not any more. */
  readonly forgotten: number;
}

/** What has just come. */
export function append<Of extends Window>(window: Of, line: Line): Of {
  return window.ahead ? { ...window, ahead: bound({ ...window.ahead, lines: insert(window.ahead.lines, line) }) } : { ...window, lines: insert(window.lines, line) };
}

export function before(window: Window, page: readonly Message[], complete: boolean): Window {
  return { ...window, complete, lines: page.reduce<readonly Line[]>(insert, window.lines) };
}

export function after(window: Window, page: readonly Message[], hasAfter: boolean): Window {
  const lines = page.reduce<readonly Line[]>(insert, window.lines);
  if (!window.ahead) return { ...window, lines };
  const { ahead } = window;
  const end = page.at(-1) ?? lines.at(-1);
  const first = ahead.lines[0];
  const meets = first !== undefined && end !== undefined && compare(end, first) >= 0;
  // The server had no more, and what has come since is all here.
  const isEnd = !hasAfter && ahead.forgotten <= (end?.offset ?? 0);
  return meets || isEnd ? { ...window, lines: ahead.lines.reduce(insert, lines), ahead: null } : { ...window, lines };
}

export function around(window: Window, page: readonly Message[], hasBefore: boolean, hasAfter: boolean): Window {
  if (page.some(line => window.lines.some(here => compare(here, line) === 0))) {
    const first = page[0]!;
    const complete = window.complete || (!hasBefore && compare(first, window.lines[0]!) <= 0);
    return after({ ...window, complete }, page, hasAfter);
  }
  const ahead = window.ahead ?? bound({ lines: window.lines, forgotten: 0 });
  return after({ lines: [], complete: !hasBefore, ahead }, page, hasAfter);
}

export function toNewest(window: Window): Window {
  return window.ahead ? { lines: window.ahead.lines, complete: false, ahead: null } : window;
}

export function withoutOldest(window: Window, keep: number): Window {
  return { ...window, complete: false, lines: window.lines.slice(-keep) };
}

export function withoutNewest(window: Window, keep: number): Window {
  const gone = window.lines.slice(keep);
  return { ...window, lines: window.lines.slice(0, keep), ahead: window.ahead ?? bound({ lines: gone, forgotten: 0 }) };
}

/** What becomes of one message, wherever it is. */
export function change<Of extends Window>(window: Of, generation: number, offset: number, to: (message: Message) => Message): Of {
  const lines = changeIn(window.lines, generation, offset, to);
  const ahead = window.ahead && changeIn(window.ahead.lines, generation, offset, to);
  if (lines === window.lines && ahead === (window.ahead?.lines ?? null)) return window;
  return { ...window, lines, ahead: ahead && { ...window.ahead!, lines: ahead } };
}

function changeIn(lines: readonly Line[], generation: number, offset: number, to: (message: Message) => Message): readonly Line[] {
  const at = lines.findIndex(line => line.kind === "message" && line.generation === generation && line.offset === offset);
  const line = lines[at];
  if (line?.kind !== "message") return lines;
  const changed = to(line);
  return changed === line ? lines : lines.with(at, changed);
}

function bound(ahead: Ahead): Ahead {
  if (ahead.lines.length <= keptAhead) return ahead;
  const forgotten = ahead.lines.at(-keptAhead - 1)!.offset;
  return { lines: ahead.lines.slice(-keptAhead), forgotten };
}

function insert(lines: readonly Line[], line: Line): readonly Line[] {
  let at = lines.length;
  while (at > 0 && compare(lines[at - 1]!, line) > 0) at--;
  return at > 0 && compare(lines[at - 1]!, line) === 0 ? lines : [...lines.slice(0, at), line, ...lines.slice(at)];
}

function compare(a: Line, b: Line): number {
  return a.generation - b.generation || a.offset - b.offset || rank(a) - rank(b);
}

function rank(line: Line): number {
  return line.kind === "message" ? 0 : 1;
}

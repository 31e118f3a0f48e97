// What is offered while somebody writes: whom to mention, and what a message that begins with a slash may say. Pure; completionList.ts
// draws it.

import { parse, type Block, type Inline } from "./markdown.js";

/** As many are offered. */
const most = 8;

export interface Wanted {
  readonly kind: "mention" | "command";
  /** Where the sign stands. */
  readonly from: number;
  /** What is written after it. */
  readonly query: string;
}

/** What the writer is about to say at the caret, if it can be completed. */
export function wantedAt(text: string, caret: number): Wanted | undefined {
  const before = text.slice(0, caret);
  const command = /^\/([a-z0-9-]*)$/.exec(before);
  if (command) return { kind: "command", from: 0, query: command[1]! };
  const mention = /(^|[\s(["'>*_~])@([A-Za-z0-9._~|+=-]{0,64})$/.exec(before);
  return mention ? { kind: "mention", from: caret - mention[2]!.length - 1, query: mention[2]! } : undefined;
}

/** Those whose names begin so, then those that have it in them; each group as it comes. */
export function matching<T>(query: string, all: readonly T[], name: (one: T) => string): readonly T[] {
  const wanted = query.toLowerCase();
  const begins = all.filter(one => name(one).toLowerCase().startsWith(wanted));
  const has = wanted === "" ? [] : all.filter(one => !begins.includes(one) && name(one).toLowerCase().includes(wanted));
  return [...begins, ...has].slice(0, most);
}

/** The text with what was chosen, and where the caret is then. */
export function complete(text: string, caret: number, { kind, from }: Wanted, name: string): { readonly text: string; readonly caret: number } {
  const said = `${kind === "mention" ? "@" : "/"}${name} `;
  const rest = text.slice(caret).replace(/^ /, "");
  return { text: text.slice(0, from) + said + rest, caret: from + said.length };
}

/** Who of those that are known is mentioned: as it is shown, so not in code. */
export function mentionsIn(text: string, known: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const inline = (nodes: readonly Inline[]): void => {
    for (const node of nodes) {
      if (node.kind === "mention") found.add(node.user);
      else if ("children" in node) inline(node.children);
    }
  };
  const blocks = (all: readonly Block[]): void => {
    for (const block of all) {
      if (block.kind === "quote") blocks(block.children);
      else if (block.kind === "paragraph") inline(block.children);
      else if (block.kind === "list") block.items.forEach(inline);
    }
  };
  blocks(parse(text, known));
  return [...found].slice(0, 100);
}

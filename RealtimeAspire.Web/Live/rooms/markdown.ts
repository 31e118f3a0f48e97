// What people write, as a tree: the part of Markdown that a conversation needs. Pure; messageText.ts makes elements of it. There is no
// node for markup, so nothing in a text can become any, and of links only those to the web.

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "strong" | "emphasis" | "strike"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "mention"; readonly user: string }
  | { readonly kind: "link"; readonly href: string; readonly children: readonly Inline[] };

export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "quote"; readonly children: readonly Block[] }
  | { readonly kind: "list"; readonly start: number | null; readonly items: readonly (readonly Inline[])[] };

/** Quotes in quotes; what is deeper stays text. */
const deepest = 4;
const fence = /^ {0,3}```[^`]*$/;
const quote = /^ {0,3}> ?/;
const quoteBegin = /^ {0,3}> ?(?=\S)/;
const bullet = /^ {0,3}[-*+] +(?=\S)/;
const numbered = /^ {0,3}(\d{1,9})[.)] +(?=\S)/;

/** @param mentions the users that `@name` stands for */
export function parse(text: string, mentions: readonly string[] = [], depth = 0): readonly Block[] {
  const blocks: Block[] = [];
  const rows = text.split("\n");
  let paragraph: string[] = [];
  const inline = (from: string) => parseInline(from, mentions);
  const flush = () => {
    if (paragraph.some(row => row.trim() !== "")) blocks.push({ kind: "paragraph", children: inline(paragraph.join("\n")) });
    paragraph = [];
  };
  /** The rows from here on that are of a form, without what makes them so. */
  const take = (from: number, form: RegExp): string[] => {
    const end = rows.findIndex((row, at) => at >= from && !form.test(row));
    return rows.slice(from, end < 0 ? undefined : end).map(row => row.replace(form, ""));
  };

  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    const form = quoteBegin.test(row) ? quote : [bullet, numbered].find(one => one.test(row));
    if (fence.test(row)) {
      const end = rows.findIndex((other, index) => index > at && /^ {0,3}```\s*$/.test(other));
      if (end > 0) {
        flush();
        blocks.push({ kind: "code", text: rows.slice(at + 1, end).join("\n") });
        at = end;
        continue;
      }
    } else if (form && (form !== quote || depth < deepest)) {
      flush();
      const taken = take(at, form);
      blocks.push(form === quote
        ? { kind: "quote", children: parse(taken.join("\n"), mentions, depth + 1) }
        : { kind: "list", start: form === numbered ? Number(numbered.exec(row)![1]) : null, items: taken.map(inline) });
      at += taken.length - 1;
      continue;
    }
    if (row.trim() === "" && paragraph.length > 0) flush();
    else paragraph.push(row);
  }
  flush();
  return blocks;
}

const address = /https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}*_~]/y;
const linked = /\[([^\[\]\n]{1,500})\]\((https?:\/\/[^\s<>"'`()]+)\)/y;
const escaped = /\\([\\`*_~[\]()>#+\-.!@])/y;
const ticked = /(`+)(?!`)([\s\S]*?[^`])\1(?!`)/y;
const named = /@([A-Za-z0-9._~|+=-]*[A-Za-z0-9_~|+=-])/y;
const marks = [["**", "strong"], ["~~", "strike"], ["*", "emphasis"], ["_", "emphasis"]] as const;
const isWord = (character: string | undefined) => character !== undefined && /[\p{L}\p{N}_]/u.test(character);

function parseInline(text: string, mentions: readonly string[], inLink = false): readonly Inline[] {
  const nodes: Inline[] = [];
  let plain = "";
  const add = (node: Inline) => {
    if (plain !== "") nodes.push({ kind: "text", text: plain });
    plain = "";
    nodes.push(node);
  };
  const match = (form: RegExp, at: number) => {
    form.lastIndex = at;
    return form.exec(text);
  };

  for (let at = 0; at < text.length;) {
    let found: RegExpExecArray | null;
    const character = text[at]!;
    if (character === "\\" && (found = match(escaped, at))) {
      plain += found[1]!;
    } else if (character === "`" && (found = match(ticked, at))) {
      add({ kind: "code", text: found[2]! });
    } else if (!inLink && character === "[" && (found = match(linked, at))) {
      add({ kind: "link", href: found[2]!, children: parseInline(found[1]!, [], true) });
    } else if (!inLink && character === "h" && !isWord(text[at - 1]) && (found = match(address, at))) {
      add({ kind: "link", href: found[0], children: [{ kind: "text", text: found[0] }] });
    } else if (character === "@" && !isWord(text[at - 1]) && (found = match(named, at)) && mentions.includes(found[1]!)) {
      add({ kind: "mention", user: found[1]! });
    } else {
      const marked = markedAt(text, at);
      if (!marked) {
        // As many as there are of a mark that marks nothing, so that none of them is taken for the beginning of another.
        const run = /^[*_~`]+/.exec(text.slice(at, at + 8))?.[0] ?? character;
        plain += run;
        at += run.length;
        continue;
      }
      add({ kind: marked.kind, children: parseInline(marked.inner, mentions, inLink) });
      at = marked.end;
      continue;
    }
    at += found[0].length;
  }
  if (plain !== "") nodes.push({ kind: "text", text: plain });
  return nodes;
}

function markedAt(text: string, at: number): { readonly kind: "strong" | "emphasis" | "strike"; readonly inner: string; readonly end: number } | undefined {
  for (const [mark, kind] of marks) {
    if (!text.startsWith(mark, at)) continue;
    const begin = at + mark.length;
    // snake_case and 2*3 are no emphasis; nor is a mark before a space.
    if (isWord(text[at - 1]) || text[begin] === undefined || /[\s*_~]/.test(text[begin]!) && mark.length === 1 || /\s/.test(text[begin]!)) continue;
    for (let end = text.indexOf(mark, begin + 1); end > 0; end = text.indexOf(mark, end + 1)) {
      const isDouble = mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark);
      if (isDouble || /\s/.test(text[end - 1]!) || isWord(text[end + mark.length])) continue;
      // ***both***
      const last = mark === "**" && text[end + 2] === "*" ? end + 1 : end;
      return { kind, inner: text.slice(begin, last), end: last + mark.length };
    }
  }
  return undefined;
}

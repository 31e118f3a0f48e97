import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, type Block, type Inline } from "./markdown.js";

const short = (nodes: readonly Inline[]): string => nodes.map(node => {
  switch (node.kind) {
    case "text": return node.text;
    case "code": return `‹${node.text}›`;
    case "mention": return `«${node.user}»`;
    case "link": return `{${node.href}|${short(node.children)}}`;
    default: return `<${node.kind[0]}${node.kind === "strong" ? "!" : ""} ${short(node.children)}>`;
  }
}).join("");
const shape = (blocks: readonly Block[]): unknown[] => blocks.map(block => {
  switch (block.kind) {
    case "paragraph": return short(block.children);
    case "code": return { code: block.text };
    case "quote": return { quote: shape(block.children) };
    case "list": return { from: block.start, items: block.items.map(short) };
  }
});
const inline = (text: string, ...mentions: string[]) => shape(parse(text, mentions)).join("¶");

test("what is strong, emphasized, struck out and code", () => {
  assert.equal(inline("a **bold** and *soft* and _soft_ and ~~gone~~ `x = *y*`"), "a <s! bold> and <e soft> and <e soft> and <s gone> ‹x = *y*›");
  assert.equal(inline("**bold with *soft* in it**"), "<s! bold with <e soft> in it>");
  assert.equal(inline("***both***"), "<s! <e both>>");
  assert.equal(inline("``a ` tick``"), "‹a ` tick›");
});

test("marks that mark nothing stay as they are", () => {
  for (const text of ["snake_case_name", "2 * 3 * 4", "a*b*c", "**", "* ", "a ** b ** c", "~~", "`", "``", "*open", "__init__.py", "5*", "f(*args, **more)"]) {
    assert.equal(inline(text), text);
  }
  assert.equal(inline("\\*not soft\\* \\u003c"), "*not soft* \\u003c");
});

test("links lead to the web and nowhere else", () => {
  assert.equal(inline("see https://example.test/a_b_c?x=1, or (https://example.test)."), "see {https://example.test/a_b_c?x=1|https://example.test/a_b_c?x=1}, or ({https://example.test|https://example.test}).");
  assert.equal(inline("[the *docs*](https://example.test/x)"), "{https://example.test/x|the <e docs>}");
  for (const text of ["[x](javascript:alert(1))", "[x](data:text/html,1)", "[x](//example.test)", "javascript:alert(1)"]) {
    assert.ok(!inline(text).includes("{"), text);
  }
  assert.equal(inline("[x](javascript:alert(1))"), "[x](javascript:alert(1))");
});

test("a mention is of somebody who is mentioned", () => {
  assert.equal(inline("@ada and @bob, me@ada", "ada"), "«ada» and @bob, me@ada");
  assert.equal(inline("hi @ada.", "ada"), "hi «ada».");
  assert.equal(inline("`@ada`", "ada"), "‹@ada›");
});

test("paragraphs, quotes, lists and code blocks", () => {
  assert.deepEqual(shape(parse("one\ntwo\n\nthree")), ["one\ntwo", "three"]);
  assert.deepEqual(shape(parse("> said\n> *twice*\nanswer")), [{ quote: ["said\n<e twice>"] }, "answer"]);
  assert.deepEqual(shape(parse("- one\n- **two**\n\n3. three\n4. four")), [{ from: null, items: ["one", "<s! two>"] }, { from: 3, items: ["three", "four"] }]);
  assert.deepEqual(shape(parse("see\n```ts\nlet x = *1*;\n\n> y\n```\ndone")), ["see", { code: "let x = *1*;\n\n> y" }, "done"]);
  assert.deepEqual(shape(parse("```\nopen")), ["```\nopen"]);
  assert.deepEqual(shape(parse("a\n>\nb")), ["a\n>\nb"]);
  assert.deepEqual(shape(parse("> a\n>\n> b")), [{ quote: ["a", "b"] }]);
});

test("whatever is written is read in time and not lost", () => {
  // What grows with the square of a text of 4,000 characters is over in a second, what grows faster in years.
  for (const text of ["> ".repeat(2_000), "*".repeat(4_000), "`".repeat(4_000), "[".repeat(4_000), "**a ".repeat(1_000), "_a ".repeat(1_300), "`a ".repeat(1_300), "- ".repeat(2_000)]) {
    const begin = performance.now();
    parse(text, ["ada"]);
    assert.ok(performance.now() - begin < 10_000, text.slice(0, 8));
  }
});

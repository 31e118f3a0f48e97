import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsOf, isDocument, type Schema } from "../cli/document.js";
import { toTypeScript } from "../cli/typescript.js";

const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** A document with events of one payload each, all of them on one type of topics. */
function documentOf(payloads: Record<string, Schema>, schemas: Record<string, Schema> = {}): Record<string, unknown> {
  const messages = Object.fromEntries(Object.entries(payloads).map(([name, payload]) => [name, { payload: { properties: { data: { properties: { payload } } } } }]));
  return { asyncapi: "3.0.0", channels: { room: { messages } }, components: { schemas } };
}

/** The declarations of one event's payload. */
function written(schema: Schema, schemas: Record<string, Schema> = {}): string {
  const text = toTypeScript(eventsOf(documentOf({ x: reference("X") }, { X: schema, ...schemas })));
  const [, ...declarations] = text.split("\n\n");
  return declarations.slice(0, -1).join("\n\n");
}

test("each event is in the map, by its name", () => {
  const text = toTypeScript(eventsOf(documentOf({ "b:x": { type: "string" }, "a:x": reference("A") }, { A: { type: "object", properties: { n: { type: "integer" } } } })));

  assert.match(text, /export interface A \{\n {2}readonly n\?: number;\n\}/);
  assert.match(text, /export interface RealtimeEvents \{\n {2}"a:x": A;\n {2}"b:x": string;\n\}\n$/);
});

test("an event of two types of topics has either payload", () => {
  const document = documentOf({ x: { type: "string" } });
  Object.assign(document["channels"] as object, { ticker: { messages: { x: { payload: { properties: { data: { properties: { payload: { type: "number" } } } } } } } } });

  assert.match(toTypeScript(eventsOf(document)), /"x": string \| number;/);
});

test("an event in several versions has either payload, under its one name", () => {
  const message = (type: string) => ({ name: "x", payload: { properties: { data: { properties: { payload: { type } } } } } });
  const document = { asyncapi: "3.0.0", channels: { room: { messages: { "x": message("string"), "x@2": message("number") } } } };

  assert.match(toTypeScript(eventsOf(document)), /\{\n {2}"x": string \| number;\n\}/);
});

test("what is required, may be null or is bounded is said", () => {
  const schema: Schema = {
    description: "An order.",
    type: "object",
    properties: {
      text: { type: "string", minLength: 1, maxLength: 8, description: "What */ for." },
      side: { enum: ["Buy", "Sell"] },
      note: { type: ["string", "null"] },
      "per cent": { type: "number", exclusiveMinimum: 0, maximum: 100 },
      tags: { type: ["array", "null"], items: { enum: ["a", null] }, maxItems: 3 },
      levels: { type: "object", additionalProperties: { type: "number" } },
      any: true,
    },
    required: ["text", "any"],
  };

  assert.equal(written(schema), `/** An order. */
export interface X {
  /** What *\\/ for. 1 to 8 characters. */
  readonly text: string;
  readonly side?: "Buy" | "Sell";
  readonly note?: string | null;
  /** At most 100. More than 0. */
  readonly "per cent"?: number;
  /** At most 3 items. */
  readonly tags?: readonly ("a" | null)[] | null;
  readonly levels?: Readonly<Record<string, number>>;
  readonly any: unknown;
}`);
});

test("forms are told apart by what is constant", () => {
  const schema: Schema = {
    type: "object",
    required: ["kind"],
    anyOf: [
      { properties: { kind: { const: "circle" }, radius: { type: "number" } }, required: ["radius"] },
      { properties: { kind: { const: "square" } } },
    ],
  };

  assert.equal(written(schema), `export type X = {
  readonly kind: "circle";
  readonly radius: number;
} | {
  readonly kind: "square";
};`);
});

test("what refers to itself, or to a part of itself, has a name", () => {
  const schema: Schema = {
    type: "object",
    properties: { children: { type: "array", items: reference("X") }, node: { type: "object", properties: { next: { $ref: "#/components/schemas/X/properties/node" } } } },
  };

  assert.equal(written(schema), `export interface X {
  readonly children?: readonly X[];
  readonly node?: {
    readonly next?: XNode;
  };
}

export interface XNode {
  readonly next?: XNode;
}`);
});

test("only an AsyncAPI 3 document is one", () => {
  assert.equal(isDocument(documentOf({})), true);
  for (const other of [null, 1, {}, { asyncapi: "2.6.0" }, { openapi: "3.1.0" }]) assert.equal(isDocument(other), false);
});

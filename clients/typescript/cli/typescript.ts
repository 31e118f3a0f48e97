// TypeScript types of JSON Schemas: of what .NET's exporter emits, which is all that a server's document has.

import type { Events, Schema } from "./document.js";

type Words = Exclude<Schema, boolean>;

const map = "RealtimeEvents";
const components = "#/components/schemas/";

export function toTypeScript({ names, resolve }: Events): string {
  const writer = new Writer(resolve);
  const members = [...names].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, payloads]) => `  ${JSON.stringify(name)}: ${union(payloads.map(payload => writer.type(payload, "  ")))};\n`);
  return [
    "// Made by realtime-types from the events that the server has registered: make it again rather than change it.\n",
    ...writer.declarations(),
    `/** What the payload of each event is. */\nexport interface ${map} {\n${members.join("")}}\n`,
  ].join("\n");
}

class Writer {
  readonly #resolve: (reference: string) => Schema;
  /** What is referred to is declared, under a name of its own. */
  readonly #names = new Map<string, string>();

  constructor(resolve: (reference: string) => Schema) {
    this.#resolve = resolve;
  }

  declarations(): string[] {
    const written: [name: string, text: string][] = [];
    // Writing one may name others.
    for (const [reference, name] of this.#names) written.push([name, this.#declaration(name, this.#resolve(reference))]);
    return written.sort(([a], [b]) => a < b ? -1 : 1).map(([, text]) => text);
  }

  type(schema: Schema, indent: string): string {
    if (schema === true) return "unknown";
    if (schema === false) return "never";
    if (schema.$ref !== undefined) return this.#name(schema.$ref);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return union(schema.enum.map(value => JSON.stringify(value)));
    if (schema.anyOf) return union(schema.anyOf.map(form => this.type(merged(schema, form), indent)));
    const types = schema.type === undefined ? isObject(schema) ? ["object"] : [] : [schema.type].flat();
    return types.length === 0 ? "unknown" : union(types.map(type => this.#simple(type, schema, indent)));
  }

  #declaration(name: string, schema: Schema): string {
    const about = comment(typeof schema === "boolean" ? undefined : schema.description, "");
    const type = this.type(schema, "");
    return about + (type.startsWith("{") && type.endsWith("\n}") && !type.includes("\n} ") ? `export interface ${name} ${type}\n` : `export type ${name} = ${type};\n`);
  }

  #simple(type: string, schema: Words, indent: string): string {
    switch (type) {
      case "integer": return "number";
      case "array": return `readonly ${grouped(this.type(schema.items ?? true, indent))}[]`;
      case "object": return this.#object(schema, indent);
      default: return type;
    }
  }

  #object({ properties = {}, required = [], additionalProperties }: Words, indent: string): string {
    const inner = `${indent}  `;
    const unsaid = required.filter(name => properties[name] === undefined).map((name): [string, Schema] => [name, true]);
    const members = [...Object.entries(properties), ...unsaid].map(([name, schema]) =>
      `${comment(about(schema), inner)}${inner}readonly ${key(name)}${required.includes(name) ? "" : "?"}: ${this.type(schema, inner)};\n`);
    const others = typeof additionalProperties === "object" ? `Readonly<Record<string, ${this.type(additionalProperties, indent)}>>` : undefined;
    if (members.length === 0) return others ?? "Readonly<Record<string, unknown>>";
    const own = `{\n${members.join("")}${indent}}`;
    return others ? `${own} & ${others}` : own;
  }

  #name(reference: string): string {
    let name = this.#names.get(reference);
    if (name === undefined) {
      const taken = new Set([...this.#names.values(), map]);
      const words = reference.replace(components, "").split(/[^\p{L}\p{N}]+/u).filter(word => word !== "properties" && word !== "definitions");
      const wanted = words.map(word => word.charAt(0).toUpperCase() + word.slice(1)).join("").replace(/^(?=\p{N})/u, "_");
      name = wanted;
      for (let number = 2; taken.has(name); number++) name = `${wanted}${number}`;
      this.#names.set(reference, name);
    }
    return name;
  }
}

/** A form of a schema, with what all forms have. */
function merged(whole: Words, form: Schema): Schema {
  if (typeof form === "boolean" || form.$ref !== undefined) return form;
  const { anyOf: _, ...shared } = whole;
  return { ...shared, ...form, properties: { ...shared.properties, ...form.properties }, required: [...new Set([...shared.required ?? [], ...form.required ?? []])] };
}

function isObject(schema: Words): boolean {
  return schema.properties !== undefined || schema.required !== undefined || schema.additionalProperties !== undefined;
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(" | ");
}

function grouped(type: string): string {
  return /^[\p{L}\p{N}_]+$/u.test(type) ? type : `(${type})`;
}

function key(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name);
}

/** What a type of TypeScript does not say. */
function about(schema: Schema): string | undefined {
  if (typeof schema === "boolean") return undefined;
  const { minLength, maxLength, minItems, maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum, format, description } = schema;
  const said = [
    description,
    format && `As \`${format}\`.`,
    between(minLength, maxLength, " characters"),
    between(minItems, maxItems, " items"),
    between(minimum, maximum, ""),
    exclusiveMinimum !== undefined && `More than ${exclusiveMinimum}.`,
    exclusiveMaximum !== undefined && `Less than ${exclusiveMaximum}.`,
  ];
  return said.filter(Boolean).join(" ") || undefined;
}

function between(least: number | undefined, most: number | undefined, what: string): string | undefined {
  if (least !== undefined && most !== undefined) return `${least} to ${most}${what}.`;
  if (least !== undefined) return `At least ${least}${what}.`;
  return most === undefined ? undefined : `At most ${most}${what}.`;
}

function comment(text: string | undefined, indent: string): string {
  return text === undefined ? "" : `${indent}/** ${text.replace(/\s+/g, " ").replaceAll("*/", "*\\/")} */\n`;
}

// What an AsyncAPI document of the server says about events.

export type Schema = boolean | {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
};

export interface Events {
  /** The payloads of each event: of one name, another on topics of another type. */
  readonly names: ReadonlyMap<string, readonly Schema[]>;
  /** What a reference stands for. */
  readonly resolve: (reference: string) => Schema;
}

export function isDocument(value: unknown): value is Record<string, unknown> {
  return at(value, "asyncapi")?.toString().startsWith("3.") === true;
}

export function eventsOf(document: Record<string, unknown>): Events {
  const names = new Map<string, Schema[]>();
  for (const channel of Object.values(at(document, "channels") ?? {})) {
    for (const [key, message] of Object.entries(at(channel, "messages") ?? {})) {
      // Of an event in several versions each is a message of its own; a reader may get any of them.
      const name = (at(message, "name") as unknown as string | undefined) ?? key;
      const payload = at(message, "payload", "properties", "data", "properties", "payload");
      if (payload === undefined) continue;
      const known = names.get(name) ?? [];
      if (!known.some(one => JSON.stringify(one) === JSON.stringify(payload))) names.set(name, [...known, payload as Schema]);
    }
  }
  const steps = (reference: string) => reference.slice(2).split("/").map(step => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return { names, resolve: reference => (at(document, ...steps(reference)) ?? true) as Schema };
}

function at(value: unknown, ...path: readonly string[]): object | undefined {
  let found = value;
  for (const step of path) found = (found as Record<string, unknown> | null | undefined)?.[step];
  return found as object | undefined;
}

#!/usr/bin/env node
// Writes TypeScript types for the events that a server has registered.

import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { eventsOf, isDocument } from "./document.js";
import { toTypeScript } from "./typescript.js";

const usage = `Writes TypeScript types for the events that a RealtimeAspire server has registered.

  realtime-types <server or file> [--out <file>]

  <server or file>  http://localhost:5200, or what its /asyncapi/v3.json answered
  --out, -o <file>  where to write; without it, to the standard output
  --help, -h        this

In code: new RealtimeClient<RealtimeEvents>(…), with RealtimeEvents from the file.
`;

/** Said to the user as it is: what is wrong, and what to do. */
class UserError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

async function main(): Promise<void> {
  const { source, out, help } = read();
  if (help) {
    process.stdout.write(usage);
    return;
  }

  const events = eventsOf(await load(source));
  const text = toTypeScript(events);
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }

  try {
    await writeFile(out, text);
  } catch (error) {
    throw new UserError(`${out} cannot be written: ${reason(error)}`);
  }
  process.stderr.write(`${out}: ${events.names.size} ${events.names.size === 1 ? "event" : "events"}\n`);
}

function read(): { source: string; out: string | undefined; help: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { out: { type: "string", short: "o" }, help: { type: "boolean", short: "h", default: false } },
    });
    if (!values.help && positionals.length !== 1) throw new Error(`One server or file is needed, not ${positionals.length}.`);
    return { source: positionals[0] ?? "", out: values.out, help: values.help };
  } catch (error) {
    throw new UserError(`${reason(error)}\n\n${usage}`, 2);
  }
}

async function load(source: string): Promise<Record<string, unknown>> {
  const isAddress = /^https?:\/\//.test(source);
  const from = isAddress && !source.endsWith(".json") ? `${source.replace(/\/+$/, "")}/asyncapi/v3.json` : source;
  const text = isAddress ? await download(from) : await open(from);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new UserError(`${from} is not JSON. Give the server's address, for example http://localhost:5200.`);
  }
  if (!isDocument(document)) throw new UserError(`${from} is not an AsyncAPI 3 document. Give the server's address, or what its /asyncapi/v3.json answered.`);
  return document;
}

async function download(address: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(address, { signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    throw new UserError(`${address} cannot be reached: ${reason(error)}. Start the server, or check the address.`);
  }
  if (!response.ok) throw new UserError(`${address} answered ${response.status}. Check that this is the address of a RealtimeAspire server's API.`);
  return await response.text();
}

async function open(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UserError(`${path} cannot be read: ${reason(error)}. An address begins with http:// or https://.`);
  }
}

/** The innermost one says most: `fetch` itself only says that it failed. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return "code" in cause && !cause.message ? String(cause.code) : cause.message;
  return error instanceof Error ? error.message : String(error);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}

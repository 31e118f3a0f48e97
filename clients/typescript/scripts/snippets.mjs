// Compiles the TypeScript of the documentation against the client as it is.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = "node_modules/.cache/snippets";
const documents = ["README.md", "../../docs/recipes.md", "../../README.md"];

/** What a reader is told in words, or knows from his own application. */
const given = `
import {
  Cursors, EventSigner, EventVerifier, indexedDbOutbox, OptimisticState, Presence, RealtimeClient, RealtimeError, sessionPositions, setPresence, SigningKeys, TypingUsers, watchActivity,
  type RealtimeEvents, type Tracing,
} from "../../../src/index.js";
declare const client: RealtimeClient;
declare const url: string;
declare const userId: string;
declare const user: string;
declare const token: () => string;
declare function fetchToken(): Promise<string>;
declare function handle(event: unknown): void;
declare function show(...what: unknown[]): void;
declare function draw(texts: readonly string[]): void;
declare function drawSoon(rows: Map<string, unknown>): void;
declare function ring(unread: number): void;
declare function tell(sentence: string): void;
`;
/** Not a package of ours: as much of it as is used. */
const openTelemetry = `
interface Context { readonly context: unique symbol }
interface Span { end(): void }
declare const context: { active(): Context };
declare const propagation: { inject(context: Context, carrier: object): void; extract(context: Context, carrier: object): Context };
declare const trace: {
  getTracer(name: string): {
    startSpan(name: string, options: object): Span;
    startActiveSpan<T>(name: string, options: object, context: Context, run: (span: Span) => T): T;
  };
  setSpan(context: Context, span: Span): Context;
};
`;

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
let count = 0;
for (const document of documents) {
  for (const [, code] of readFileSync(document, "utf8").matchAll(/```ts\n([^]*?)```/g)) {
    // What the snippet makes for itself takes the place of what is given; what it imports is given.
    const body = code.replace(/^import .*\n/gm, "").replace("new RealtimeClient(\"http://localhost:5200\"", "new RealtimeClient(url");
    const lines = given.split("\n").filter(line => {
      const name = /^declare (?:const|function) (\w+)/.exec(line)?.[1];
      return !name || !new RegExp(`^(?:const|let|async function|function) ${name}\\b`, "m").test(body);
    });
    writeFileSync(join(folder, `${++count}.ts`), `// ${document}\n${lines.join("\n")}${code.includes("@opentelemetry") ? openTelemetry : ""}\n${body}\nexport {};\n`);
  }
}
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
  extends: "../../../tsconfig.json",
  compilerOptions: { noEmit: true, rootDir: "../../..", noUnusedLocals: false, noUnusedParameters: false, composite: false },
  include: ["*.ts"],
}));
try {
  execFileSync("npx", ["tsc", "-p", folder], { stdio: "inherit" });
} catch {
  process.exit(1);
}

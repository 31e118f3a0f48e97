// Says what the client costs a page, minified and compressed, with its transport. Fails where it has grown too large.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const most = 25_000;

async function sizeOf(imports) {
  const { outputFiles } = await build({
    stdin: { contents: `export ${imports} from "./src/index.ts";`, resolveDir: "." },
    bundle: true, format: "esm", target: "es2022", platform: "browser", minify: true, write: false, logLevel: "warning",
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const client = await sizeOf("{ RealtimeClient }");
const everything = await sizeOf("*");
const kilobytes = bytes => (bytes / 1000).toFixed(1);
console.log(`@realtimeaspire/client: ${kilobytes(client)} KB compressed, with its transport (at most ${kilobytes(most)}); ${kilobytes(everything)} with all stores and helpers`);
if (client > most) process.exit(1);

// Says what the client costs a page: everything, with its transport, minified and compressed. Fails where it has grown too large.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const most = 25 * 1024;
const { outputFiles } = await build({
  entryPoints: ["src/index.ts"], bundle: true, format: "esm", target: "es2022", platform: "browser", minify: true, write: false, logLevel: "warning",
});
const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
console.log(`@realtimeaspire/client: ${(bytes / 1024).toFixed(1)} KB compressed, with its transport (at most ${most / 1024})`);
if (bytes > most) process.exit(1);

// Runs the suite with the npm packages: configurations come in, results go out.
import { text } from "node:stream/consumers";
import msgpack from "@microsoft/signalr-protocol-msgpack";
import signalR from "@microsoft/signalr";
import { run } from "./suite.js";

const results = await run({ signalR, MessagePackHubProtocol: msgpack.MessagePackHubProtocol }, JSON.parse(await text(process.stdin)));
// A case that hangs may have left something open.
process.stdout.write(JSON.stringify(results), () => process.exit());

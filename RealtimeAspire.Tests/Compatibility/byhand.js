// The official client and docs/protocol.md, nothing else: subscribe, publish, lose the connection, go on where it was.
import { text } from "node:stream/consumers";
import signalR from "@microsoft/signalr";

const { nodes, token, topic } = JSON.parse(await text(process.stdin));
const read = [];
const outcomes = [];
let position;

function connect(node) {
  return new signalR.HubConnectionBuilder()
    .withUrl(`${node}/realtime`, { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: true, accessTokenFactory: () => token })
    .configureLogging(signalR.LogLevel.None)
    .build();
}

async function open(node) {
  const connection = connect(node);
  // Rule 1: what comes before the reply waits for it.
  let waiting = [];
  connection.on("Events", events => waiting ? waiting.push(...events) : events.forEach(take));
  await connection.start();
  for (let more = true; more;) {
    const reply = await connection.invoke("Subscribe", position ? { topic, position } : { topic });
    outcomes.push(reply.recovery);
    position ??= reply.position;
    reply.events.forEach(take);
    more = reply.more;
  }
  waiting.forEach(take);
  waiting = undefined;
  return connection;
}

/** Rule 2: a repeat is dropped; a jump does not come here, for nothing is lost on the way. */
function take({ epoch, offset, data }) {
  if (offset <= position.offset) return;
  if (offset !== position.offset + 1) throw new Error(`${offset} after ${position.offset}`);
  read.push(data.payload);
  position = { epoch, offset };
}

async function until(condition) {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 10));
}

const publish = (connection, payload, id) => connection.invoke("Publish", { topic, event: "app:note", payload, id });

const first = await open(nodes[0]);
await publish(first, 1, "a");
await publish(first, 2, "b");
await until(() => read.length === 2);
await first.stop();

// While nobody listens.
const other = connect(nodes[0]);
await other.start();
await publish(other, 3, "c");
await other.stop();

// Rule 3: on another node, from where it was. Rule 4: the same id is the same publish.
const second = await open(nodes[1]);
const again = await publish(second, 3, "c");
await publish(second, 4, "d");
await until(() => read.length === 4);
process.stdout.write(JSON.stringify({ read, outcomes, duplicate: again.duplicate }), () => process.exit());

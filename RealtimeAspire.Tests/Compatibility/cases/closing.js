import { Hubs } from "../clients.js";
import { deferred, equal, failure } from "../expect.js";

const reconnecting = builder => builder.withAutomaticReconnect([0, 50, 200, 1_000]);

export const closing = {
  async "a client that stops is told of no error, and neither is the server"(clients) {
    const [watcher, connection] = [await clients.open(), await clients.open()];
    const id = await connection.invoke("Id");
    await connection.stop();
    equal(await connection.closed, null, "error");
    equal(connection.state, "Disconnected");
    equal(await watcher.invoke("Left", id), "without an error");
  },

  async "a client that has stopped can start again, as another connection"(clients) {
    const connection = await clients.open();
    const id = await connection.invoke("Id");
    await connection.stop();
    await connection.start();
    equal(await connection.invoke("Id") === id, false, "id");
  },

  async "what was sent before a stop is done"(clients) {
    const [watcher, connection] = [await clients.open(), await clients.open()];
    const heard = deferred();
    watcher.on("Pushed", heard.resolve);
    await connection.send("PushTo", await watcher.invoke("Id"), "last words");
    await connection.stop();
    equal(await heard.promise, "last words");
  },

  async "calls under way fail when the client stops"(clients) {
    const connection = await clients.open();
    const waiting = failure(connection.invoke("Wait", 1));
    await connection.invoke("Echo", 1);
    await connection.stop();
    return waiting;
  },

  async "a server that aborts closes for good, without an error"(clients) {
    const [watcher, connection] = [await clients.open(), await clients.open(Hubs.main, reconnecting)];
    let reconnects = 0;
    connection.onreconnecting(() => reconnects++);
    const id = await connection.invoke("Id");
    const waiting = failure(connection.invoke("Wait", 1));
    await connection.send("Abort");
    const closed = await connection.closed;
    equal(reconnects, 0, "number of reconnects");
    return { closed, waiting: await waiting, left: await watcher.invoke("Left", id) };
  },

  async "a server that closes with an error says it"(clients) {
    const connection = await clients.open(Hubs.main, reconnecting);
    let reconnects = 0;
    connection.onreconnecting(() => reconnects++);
    await connection.send("Close", "not today 😀", false);
    const closed = await connection.closed;
    equal(closed.endsWith("not today 😀"), true, `error in "${closed}"`);
    equal(reconnects, 0, "number of reconnects");
    return closed;
  },

  async "a server that closes and allows to come back sees its client again"(clients) {
    const connection = await clients.open(Hubs.main, reconnecting);
    return comesBack(connection, () => connection.send("Close", "come again", true));
  },

  async "a client whose connection breaks comes back as another connection"(clients) {
    const connection = await clients.open(Hubs.main, reconnecting);
    return comesBack(connection, () => connection.send("Drop"));
  },

  async "a client whose connection breaks and that does not come back is told"(clients) {
    const connection = await clients.open();
    const waiting = failure(connection.invoke("Wait", 1));
    await connection.send("Drop");
    return { closed: await connection.closed, waiting: await waiting };
  },

  async "a hub that refuses a client says why"(clients) {
    const connection = clients.make(Hubs.refusing);
    // Whether it has started by then is a matter of packets.
    return connection.start().then(() => connection.closed, error => error.message);
  },

  async "a message that is too long ends the connection with an error"(clients) {
    const connection = await clients.open(Hubs.strict);
    equal((await connection.invoke("EchoText", "x".repeat(3_000))).length, 3_000);
    const sent = failure(connection.invoke("EchoText", "x".repeat(5_000)));
    return { closed: await connection.closed, sent: await sent };
  },
};

async function comesBack(connection, breaks) {
  const [leaving, back] = [deferred(), deferred()];
  connection.onreconnecting(error => leaving.resolve(error?.message ?? null));
  connection.onreconnected(id => back.resolve(id ?? null));
  const negotiated = connection.connectionId !== null;
  const before = await connection.invoke("Id");
  await breaks();
  const [reason, told] = [await leaving.promise, await back.promise];
  const after = await connection.invoke("Id");
  equal(after === before, false, "id");
  equal(told, negotiated ? after : null, "id of the reconnect");
  return reason;
}

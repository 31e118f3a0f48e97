import { Hubs } from "../clients.js";
import { equal, failure } from "../expect.js";

// Those of the strict hub, in milliseconds.
const timeOut = 3_000;
const never = 3_600_000;

const delay = time => new Promise(resolve => setTimeout(resolve, time));

export const keepingAlive = {
  async "a connection on which nothing happens outlives the time-outs of both sides"(clients) {
    const connection = clients.make(Hubs.strict);
    connection.serverTimeoutInMilliseconds = timeOut;
    connection.keepAliveIntervalInMilliseconds = 500;
    await connection.start();
    const id = await connection.invoke("Id");
    await Promise.race([delay(3 * timeOut), connection.closed.then(error => { throw new Error(`It was closed: ${error}`); })]);
    equal(await connection.invoke("Id"), id, "id");
  },

  async "a server that says nothing is given up by its client"(clients) {
    const connection = clients.make(Hubs.silent);
    connection.serverTimeoutInMilliseconds = 1_000;
    await connection.start();
    const waiting = failure(connection.invoke("Wait", 1));
    return { closed: await connection.closed, waiting: await waiting };
  },

  async "a client that says nothing is given up by the server"(clients) {
    const [watcher, connection] = [await clients.open(), clients.make(Hubs.strict)];
    connection.keepAliveIntervalInMilliseconds = never;
    await connection.start();
    const id = await connection.invoke("Id");
    return { closed: await connection.closed, left: await watcher.invoke("Left", id) };
  },
};

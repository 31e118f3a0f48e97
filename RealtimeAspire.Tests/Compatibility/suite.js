// What an official client has to find, whatever is under the hub. Runs in Node and in a browser: the packages are given to it.
import { Clients } from "./clients.js";
import { closing } from "./cases/closing.js";
import { events } from "./cases/events.js";
import { invoking } from "./cases/invoking.js";
import { keepingAlive } from "./cases/keepingAlive.js";
import { streaming } from "./cases/streaming.js";

// For a case that hangs; those that wait for time-outs take ten seconds.
const patience = 30_000;

const working = { ...invoking, ...streaming, ...closing, ...events };

// A browser lets those wait for seconds who open many sockets at once.
const atOnce = 4;

/**
 * Runs all cases against all configurations.
 * @param packages `signalR` and `MessagePackHubProtocol`.
 * @param configurations `{ name, url, token, protocol, skipNegotiation }` each.
 * @returns For each configuration's name a list of `{ name, passed, error, seen }`; `seen` is what must be the same on every server.
 */
export async function run(packages, configurations) {
  // What works first, and then all that waits: a busy machine must not be taken for a silent peer.
  const worked = await runAll(working, atOnce, packages, configurations);
  const waited = await runAll(keepingAlive, Infinity, packages, configurations);
  return Object.fromEntries(configurations.map(({ name }) => [name, [...worked.get(name), ...waited.get(name)]]));
}

async function runAll(cases, most, packages, configurations) {
  const results = new Map(configurations.map(({ name }) => [name, []]));
  const jobs = configurations.flatMap(configuration => Object.entries(cases).map(([name, test], index) => async () => {
    results.get(configuration.name)[index] = await runOne(name, test, packages, configuration);
  }));
  await Promise.all(Array.from({ length: Math.min(most, jobs.length) }, async () => {
    while (jobs.length > 0) {
      await jobs.shift()();
    }
  }));
  return results;
}

async function runOne(name, test, packages, configuration) {
  const clients = new Clients(packages, configuration);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It was not done after ${patience / 1000} s.`)), patience);
  });
  try {
    const seen = await Promise.race([test(clients, configuration).finally(() => clients.stop()), late]);
    return { name, passed: true, error: null, seen: seen ?? null };
  } catch (error) {
    return { name, passed: false, error: `${error.message} ${placeOf(error)}`, seen: null };
  } finally {
    clearTimeout(timer);
  }
}

/** Where in the cases it was thrown. */
const placeOf = error => error.stack?.split("\n").find(line => line.includes("/cases/"))?.replace(/.*\/cases\//, "cases/") ?? "";

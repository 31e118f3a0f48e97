// What an official client has to find, whatever is under the hub. Runs in Node and in a browser: the packages are given to it.
import { Clients } from "./clients.js";
import { closing } from "./cases/closing.js";
import { events } from "./cases/events.js";
import { invoking } from "./cases/invoking.js";
import { keepingAlive } from "./cases/keepingAlive.js";
import { streaming } from "./cases/streaming.js";

// For a case that hangs; those that wait for time-outs take ten seconds.
const patience = 30_000;

const quick = { ...invoking, ...streaming, ...closing, ...events };

/**
 * Runs all cases against all configurations.
 * @param packages `signalR` and `MessagePackHubProtocol`.
 * @param configurations `{ name, url, token, protocol, skipNegotiation }` each.
 * @returns For each configuration's name a list of `{ name, passed, error, seen }`; `seen` is what must be the same on every server.
 */
export async function run(packages, configurations) {
  const results = new Map(configurations.map(configuration => [configuration.name, []]));
  // Work first, one configuration after the other, and then all that waits: a busy machine must not be taken for a silent peer.
  for (const configuration of configurations) {
    results.get(configuration.name).push(...await runAll(quick, packages, configuration));
  }
  await Promise.all(configurations.map(async configuration =>
    results.get(configuration.name).push(...await runAll(keepingAlive, packages, configuration))));
  return Object.fromEntries(results);
}

const runAll = (cases, packages, configuration) =>
  Promise.all(Object.entries(cases).map(([name, test]) => runOne(name, test, packages, configuration)));

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

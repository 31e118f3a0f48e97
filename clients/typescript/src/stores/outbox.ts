import { newId } from "../ids.js";
import type { OutboxItem, OutboxStore } from "../outbox.js";

/** Milliseconds between looks for what pages have left that have gone. */
const lookInterval = 5_000;

/**
 * An outbox in IndexedDB. Each page has one of its own, held by a Web Lock: when the page ends the lock does, and the next page,
 * or another one that is open, takes over what waits, so that at any time it has one owner. Both need a secure context (`https:`
 * or localhost); without one what waits is kept in memory.
 *
 * @param name whose it is, where several users share a browser: `realtime`
 */
export function indexedDbOutbox(name = "realtime"): OutboxStore {
  const owner = newId();
  const closed = new AbortController();
  let database: Promise<IDBDatabase> | undefined;
  let written: Promise<unknown> = Promise.resolve();

  async function items(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    return (await database!).transaction("items", mode).objectStore("items");
  }

  /** What those have left who are gone. */
  async function takeOver(): Promise<OutboxItem[]> {
    const keys = await result((await items("readonly")).getAllKeys()) as [string, string, string][];
    const others = new Set(keys.map(([whose]) => whose).filter(whose => whose !== owner));
    const taken: OutboxItem[] = [];
    for (const other of others) {
      await navigator.locks.request(lockOf(name, other), { ifAvailable: true }, async lock => {
        if (!lock) return;
        const store = await items("readwrite");
        for (const { request, at } of await result(store.getAll(IDBKeyRange.bound([other], [other, []]))) as OutboxItem[]) {
          store.put({ owner, request, at });
          store.delete([other, request.topic, request.id]);
          taken.push({ request, at });
        }
        await new Promise<void>((resolve, reject) => {
          store.transaction.oncomplete = () => resolve();
          store.transaction.onabort = () => reject(store.transaction.error);
        });
      });
    }
    return taken.sort((a, b) => a.at - b.at);
  }

  /** In order. What cannot be written waits in memory; what cannot be deleted is sent again, under its id. */
  function write(change: (store: IDBObjectStore) => void): void {
    written = written.then(() => items("readwrite")).then(change).catch(() => { /* as was said */ });
  }

  return {
    async open(take) {
      database = hold(lockOf(name, owner), closed.signal).then(() => openDatabase(`${name}:outbox`));
      take(await takeOver());
      const looking = setInterval(() => {
        if (closed.signal.aborted) clearInterval(looking);
        else void takeOver().then(taken => { if (taken.length > 0) take(taken); }, () => { /* the next look may */ });
      }, lookInterval);
    },
    put: ({ request, at }) => write(store => store.put({ owner, request, at })),
    delete: ({ request }) => write(store => store.delete([owner, request.topic, request.id])),
    close: () => void written.then(() => closed.abort()),
  };
}

/**
 * Forgets what waits there, of all pages: for the moment when a user signs out of a browser that others use. Close the client first.
 *
 * @param name as for {@link indexedDbOutbox}
 */
export async function clearIndexedDbOutbox(name = "realtime"): Promise<void> {
  const database = await openDatabase(`${name}:outbox`);
  await result(database.transaction("items", "readwrite").objectStore("items").clear());
  database.close();
}

function lockOf(name: string, owner: string): string {
  return `${name}:outbox:${owner}`;
}

/** Resolves when the lock is had, which is then held until released. */
function hold(lock: string, released: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks.request(lock, () => {
      resolve();
      return new Promise<void>(release => {
        if (released.aborted) release();
        else released.addEventListener("abort", () => release());
      });
    }).catch(reject);
  });
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("items", { keyPath: ["owner", "request.topic", "request.id"] });
  return result(opening);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

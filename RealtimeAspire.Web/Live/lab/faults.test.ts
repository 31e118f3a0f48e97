import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FaultyNetwork } from "./faults.js";

/** A socket without a network: what was sent is here, and what comes is given. */
class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  readonly url: string;
  readonly sent: unknown[] = [];
  readonly heard: unknown[] = [];
  readyState = 0;

  constructor(url: string | URL) {
    super();
    this.url = `${url}`;
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.dispatchEvent(new Event("close")));
  }

  /** As an application does, after the constructor. */
  listen(): this {
    for (const type of ["open", "message", "close"]) {
      this.addEventListener(type, event => this.heard.push(event instanceof MessageEvent ? event.data : event.type));
    }
    return this;
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  arrive(...all: unknown[]): void {
    for (const data of all) this.dispatchEvent(new MessageEvent("message", { data }));
  }
}

interface Page {
  readonly network: FaultyNetwork;
  readonly uninstall: () => void;
  readonly scope: Pick<typeof globalThis, "WebSocket" | "fetch">;
  connect(url?: string): FakeSocket;
  open(): FakeSocket;
  get(path: string, init?: RequestInit): Promise<Response>;
  /** What answers are made of. */
  answer: () => Promise<Response>;
}

function page(): Page {
  const network = new FaultyNetwork("http://api.test");
  const scope = {
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    fetch: ((_, init) => new Promise((resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(init.signal!.reason as Error));
      self.answer().then(resolve, reject);
    })) as typeof fetch,
  };
  const uninstall = network.install(scope);
  const connect = (url = "ws://api.test/realtime") => (new scope.WebSocket(url) as unknown as FakeSocket).listen();
  const self: Page = {
    network, uninstall, scope, connect,
    open: () => {
      const socket = connect();
      socket.open();
      return socket;
    },
    get: (path, init) => scope.fetch(`http://api.test${path}`, init),
    answer: async () => new Response("hello"),
  };
  return self;
}

const settled = () => new Promise<void>(resolve => setImmediate(resolve));

async function pass(t: TestContext, ms: number): Promise<void> {
  t.mock.timers.tick(ms);
  await settled();
}

test("without a fault everything passes at once", async () => {
  const { open, get } = page();
  const socket = open();
  socket.send("a");
  socket.arrive("b");

  assert.deepEqual([socket.sent, socket.heard], [["a"], ["open", "b"]]);
  assert.equal(await (await get("/rooms")).text(), "hello");
});

test("what is not for the server is left alone", async () => {
  const { connect, network, scope } = page();
  network.set({ isCut: true, isHole: true, latency: 1_000 });
  const socket = connect("ws://page.test/_blazor");
  socket.open();
  socket.send("a");
  socket.arrive("b");

  assert.deepEqual([socket.sent, socket.heard], [["a"], ["open", "b"]]);
  assert.equal(await (await scope.fetch("http://page.test/session/token")).text(), "hello");
});

test("a dropped connection ends, and the next one works", async () => {
  const { open, network } = page();
  const [first, second] = [open(), open()];
  network.drop();
  await settled();
  const third = open();

  assert.deepEqual([first.heard, second.heard, third.heard], [["open", "close"], ["open", "close"], ["open"]]);
});

test("where WebSockets are blocked those that there are end and none opens, and requests pass", async () => {
  const { open, connect, get, network } = page();
  const before = open();
  network.set({ blocksWebSockets: true });
  const after = connect();
  await settled();

  assert.deepEqual([before.heard, after.heard], [["open", "close"], ["close"]]);
  assert.equal((await get("/topics/stream?topic=room:a")).status, 200);

  network.set({ blocksWebSockets: false });
  assert.deepEqual(open().heard, ["open"]);
});

test("where streams are blocked only they fail", async () => {
  const { get, network } = page();
  const endless = new ReadableStream();
  const streaming = page();
  streaming.answer = async () => new Response(endless);
  const before = await streaming.get("/topics/stream?topic=room:a");
  streaming.network.set({ blocksStreams: true });
  await assert.rejects(before.text(), TypeError);

  network.set({ blocksStreams: true });
  await assert.rejects(get("/topics/stream?topic=room:a"), TypeError);
  assert.equal((await get("/topics/poll")).status, 200);
});

test("a network that is cut ends what is under way and lets nothing begin", async () => {
  const self = page();
  const socket = self.open();
  self.answer = () => new Promise(() => { /* under way */ });
  const underWay = assert.rejects(self.get("/topics/poll"), TypeError);
  await settled();
  self.network.set({ isCut: true });

  await underWay;
  await assert.rejects(self.get("/alive"), TypeError);
  const next = self.connect();
  await settled();
  assert.deepEqual([socket.heard, next.heard], [["open", "close"], ["close"]]);
});

test("in a black hole nothing goes or comes, and nobody is told, until the connection is given up", async () => {
  const self = page();
  const socket = self.open();
  self.network.set({ isHole: true });
  socket.send("a");
  socket.arrive("b");
  const opening = self.connect();
  opening.open();
  const given = new AbortController();
  const asked = self.get("/alive", { signal: given.signal });
  await settled();

  assert.deepEqual([socket.sent, socket.heard, opening.heard, socket.readyState], [[], ["open"], [], 1]);
  given.abort();
  await assert.rejects(asked, { name: "AbortError" });
});

test("a connection that was in a black hole stays there, and the next one works", async () => {
  const { open, network } = page();
  const lost = open();
  network.set({ isHole: true });
  network.set({ isHole: false });
  lost.arrive("a");
  const next = open();
  next.arrive("b");

  assert.deepEqual([lost.heard, next.heard], [["open"], ["open", "b"]]);
  network.drop();
  await settled();
  assert.deepEqual(lost.heard, ["open", "close"]);
});

test("latency holds each piece back, both ways, and keeps the order where it falls", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { open, network } = page();
  const socket = open();
  network.set({ latency: 300 });
  socket.send("a");
  socket.arrive("b", "c");
  network.set({ latency: 0 });
  socket.arrive("d");

  await pass(t, 299);
  assert.deepEqual([socket.sent, socket.heard], [[], ["open"]]);
  await pass(t, 1);
  assert.deepEqual([socket.sent, socket.heard], [["a"], ["open", "b", "c", "d"]]);
});

test("latency holds requests and the pieces of their answers back", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const self = page();
  self.network.set({ latency: 200 });
  let asked = false;
  self.answer = async () => {
    asked = true;
    return new Response("hello");
  };
  const text = self.get("/alive").then(response => response.text());

  await pass(t, 199);
  assert.equal(asked, false);
  await pass(t, 1);
  assert.equal(asked, true);
  let came: string | undefined;
  void text.then(value => { came = value; });
  await pass(t, 199);
  assert.equal(came, undefined);
  await pass(t, 1);
  assert.equal(await text, "hello");
});

test("afterwards the page has its own objects again", () => {
  const { scope, uninstall } = page();
  assert.notEqual(scope.WebSocket, FakeSocket);
  uninstall();
  assert.equal(scope.WebSocket, FakeSocket);
});

// What can be the matter with this page's network. Takes the place of the page's own WebSocket and fetch while it is installed, for one
// server; everything else passes untouched. The connections are real: they are cut, held back and slowed down, not pretended.

export interface Faults {
  /** Nothing gets through, and both ends are told. */
  readonly isCut: boolean;
  /** Nothing gets through, and nobody is told: connections stay open. */
  readonly isHole: boolean;
  readonly blocksWebSockets: boolean;
  readonly blocksStreams: boolean;
  /** Milliseconds that each piece takes, each way. */
  readonly latency: number;
}

export const healthy: Faults = { isCut: false, isHole: false, blocksWebSockets: false, blocksStreams: false, latency: 0 };

type Scope = Pick<typeof globalThis, "WebSocket" | "fetch">;

const isOfStream = (url: URL) => url.pathname.endsWith("/topics/stream");

export class FaultyNetwork {
  readonly #origin: string;
  readonly #lines = new Set<Line>();
  #faults = healthy;

  /** @param server the address of the one that it stands before */
  constructor(server: string) {
    this.#origin = originOf(new URL(server));
  }

  get faults(): Faults {
    return this.#faults;
  }

  /** From now on; what no longer gets through is dealt with at once. */
  set(change: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...change };
    for (const line of [...this.#lines]) {
      if (this.#faults.isHole) line.isSwallowed = true;
      if (this.#isBlocked(line.url)) line.cut();
    }
  }

  /** Ends the connections of this moment. */
  drop(): void {
    for (const line of [...this.#lines]) line.cut();
  }

  /** Until the returned function is called. */
  install(scope: Scope = globalThis): () => void {
    const { WebSocket, fetch } = scope;
    scope.WebSocket = this.#socketsOver(WebSocket);
    scope.fetch = (input, init) => this.#request(fetch, input, init);
    return () => {
      scope.WebSocket = WebSocket;
      scope.fetch = fetch;
    };
  }

  #isBlocked(url: URL): boolean {
    const { isCut, blocksWebSockets, blocksStreams } = this.#faults;
    return isCut || (blocksWebSockets && url.protocol.startsWith("ws")) || (blocksStreams && isOfStream(url));
  }

  #begin(url: URL, cut: () => void): Line {
    const line = new Line(url, () => this.#faults.latency, cut, this.#faults.isHole);
    this.#lines.add(line);
    return line;
  }

  #socketsOver(Real: typeof WebSocket): typeof WebSocket {
    const isOurs = (url: URL) => originOf(url) === this.#origin;
    const begin = (url: URL, cut: () => void) => this.#begin(url, cut);
    const end = (line: Line) => this.#lines.delete(line);
    const isBlocked = (url: URL) => this.#isBlocked(url);

    return class extends Real {
      readonly #line: Line | undefined;

      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        const url = new URL(address);
        if (!isOurs(url)) return;
        const line = this.#line = begin(url, () => this.close());
        for (const type of ["open", "message", "error", "close"]) this.addEventListener(type, event => line.deliver(this, event));
        this.addEventListener("close", () => end(line));
        // One that is closed before it has opened fails as any that does not get through.
        if (isBlocked(url)) this.close();
      }

      override send(data: Parameters<WebSocket["send"]>[0]): void {
        const send = () => { if (this.readyState === Real.OPEN) super.send(data); };
        if (this.#line) this.#line.outwards(send);
        else super.send(data);
      }
    };
  }

  async #request(real: typeof fetch, input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input, globalThis.location?.href);
    if (originOf(url) !== this.#origin) return real(input, init);
    if (this.#isBlocked(url)) throw cutOff();

    const ended = new AbortController();
    const line = this.#begin(url, () => ended.abort(cutOff()));
    const end = () => this.#lines.delete(line);
    const signal = init.signal ? AbortSignal.any([init.signal, ended.signal]) : ended.signal;
    try {
      await untilAborted(signal, line.passed("out"));
      const response = await untilAborted(signal, real(input, { ...init, signal }).then(answer => line.passed("in", 0).then(() => answer)));
      if (!response.body) return response;
      return new Response(line.body(response.body, signal, end), response);
    } catch (error) {
      end();
      throw error;
    }
  }
}

/** One connection's or request's way through the network. */
class Line {
  readonly url: URL;
  readonly cut: () => void;
  /** What was sent meanwhile is lost, so it stays so when the hole is no more. */
  isSwallowed: boolean;
  readonly #latency: () => number;
  readonly #out = new Delay();
  readonly #in = new Delay();
  #isCut = false;
  #passing: Event | undefined;

  constructor(url: URL, latency: () => number, cut: () => void, isSwallowed: boolean) {
    this.url = url;
    this.#latency = latency;
    this.isSwallowed = isSwallowed;
    this.cut = () => {
      this.#isCut = true;
      cut();
    };
  }

  outwards(send: () => void): void {
    this.#out.run(this.#latency(), () => { if (!this.isSwallowed) send(); });
  }

  /** Called first with each event of a socket: lets it pass, or holds it back. */
  deliver(socket: EventTarget, event: Event): void {
    if (event === this.#passing || this.#isCut) return;
    if (this.isSwallowed) return event.stopImmediatePropagation();
    const latency = this.#latency();
    if (latency === 0 && this.#in.isIdle) return;
    event.stopImmediatePropagation();
    const copy = new (event.constructor as typeof Event)(event.type, event);
    this.#in.run(latency, () => {
      if (this.isSwallowed && !this.#isCut) return;
      this.#passing = copy;
      socket.dispatchEvent(copy);
    });
  }

  /** Resolves when a piece has got through; one in a hole never does. */
  passed(way: "out" | "in", latency = this.#latency()): Promise<void> {
    return new Promise(resolve => (way === "out" ? this.#out : this.#in).run(latency, () => { if (!this.isSwallowed) resolve(); }));
  }

  /** An answer's body, piece by piece. */
  body(stream: ReadableStream<Uint8Array>, signal: AbortSignal, ended: () => void): ReadableStream<Uint8Array> {
    const reader = stream.getReader();
    return new ReadableStream({
      start: controller => {
        const pump = async () => {
          for (;;) {
            const { done, value } = await reader.read();
            void this.passed("in").then(() => { if (done) controller.close(); else controller.enqueue(value); }).catch(() => { /* nobody reads it any more */ });
            if (done) return;
          }
        };
        const fail = (error: unknown) => { try { controller.error(error); } catch { /* it has ended */ } };
        signal.addEventListener("abort", () => fail(signal.reason));
        pump().catch(fail).finally(ended);
      },
      cancel: reason => reader.cancel(reason),
    });
  }
}

/** Makes things wait, and keeps their order. */
class Delay {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  run(ms: number, act: () => void): void {
    if (ms === 0 && this.isIdle) return act();
    this.#waiting++;
    const due = new Promise(resolve => setTimeout(resolve, ms));
    this.#last = this.#last.then(() => due).then(() => {
      this.#waiting--;
      act();
    });
  }
}

/** A WebSocket's is that of its server's pages. */
function originOf(url: URL): string {
  return url.origin === "null" ? `${url.protocol.replace("ws", "http")}//${url.host}` : url.origin.replace(/^ws/, "http");
}

/** As fetch says it. */
function cutOff(): TypeError {
  return new TypeError("Failed to fetch");
}

function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

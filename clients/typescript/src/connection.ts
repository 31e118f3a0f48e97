// Keeps one link to the server: opens it, opens it again, and says what is the matter meanwhile.

import { backoff } from "./backoff.js";
import { disconnected, isOfToken, RealtimeError } from "./errors.js";
import { refreshTime } from "./expiry.js";
import type { Link, LinkListener, Transport } from "./link.js";
import type { Settings } from "./options.js";
import { listen } from "./signals.js";
import type { ConnectionState } from "./state.js";
import { Breaker } from "./transports/breaker.js";
import { HttpLink } from "./transports/http.js";
import { openHub } from "./transports/hub.js";
import { request } from "./transports/request.js";
import { sleep, untilAborted, withTimeout } from "./waiting.js";
import type { Control } from "./wire.js";

export interface ConnectionListener extends LinkListener {
  opened(link: Link): void;
  lost(): void;
  state(state: ConnectionState): void;
  closed(reason: RealtimeError): void;
}

/** So many in a row must fail where requests get through, before it is the network that lets none pass. */
const webSocketAttempts = 2;
/** Milliseconds; a longer one would end at once. */
const longestTimer = 2 ** 31 - 1;

export class Connection {
  readonly #settings: Settings;
  readonly #breaker: Breaker;
  readonly #listener: ConnectionListener;
  #state: ConnectionState = { name: "disconnected" };
  #running: AbortController | undefined;
  #link: Link | undefined;
  #heardAt = 0;
  #askedToWait: number | undefined;
  /** What the server wants should it vanish. */
  #advisedToWait: number | undefined;
  /** What came before the link's opening was known. */
  #early: Control[] = [];
  /** Until then no WebSocket is tried: none got through. */
  #noWebSocketUntil = 0;
  #token: string | undefined;
  /** One that got through, to take the place of the link that there is. */
  #better: Link | undefined;
  #wake: (() => void) | undefined;

  constructor(settings: Settings, listener: ConnectionListener) {
    this.#settings = settings;
    this.#breaker = new Breaker(settings.breaker);
    this.#listener = listener;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get transport(): Transport | undefined {
    return this.#link?.transport;
  }

  start(): void {
    if (this.#running || this.#state.name === "closed") return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  /** For now: it may be started again. */
  stop(): void {
    if (this.#state.name === "closed") return;
    this.#running?.abort();
    this.#running = undefined;
    this.#enter({ name: "disconnected" });
  }

  /** For good. */
  close(reason: RealtimeError): void {
    if (this.#state.name === "closed") return;
    this.#running?.abort();
    this.#enter({ name: "closed", reason });
    this.#listener.closed(reason);
  }

  /** The next attempt begins now; a link that has been silent is asked whether it lives. */
  wake(): void {
    this.#breaker.reset();
    this.#wake?.();
    const link = this.#link;
    if (link && Date.now() - this.#heardAt > this.#settings.heartbeat / 2) void this.#probe(link);
  }

  /** Drops the link; it is opened again at once. */
  reconnect(): void {
    this.#advisedToWait = undefined;
    this.#link?.close();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const leaveSignals = listen(this);
    let lostAt = Date.now();
    let failed = 0;
    let renew = false;
    let reason: RealtimeError | undefined;
    this.#enter({ name: "connecting" });
    while (!stopped.aborted) {
      try {
        const link = this.#link = this.#better ?? await this.#open(renew, stopped);
        this.#heardAt = Date.now();
        [failed, renew, reason, this.#better, this.#askedToWait] = [0, false, undefined, undefined, undefined];
        this.#enter({ name: "connected" });
        this.#listener.opened(link);
        for (const control of this.#early.splice(0)) this.#control(control);
        void this.#watch(link);
        void this.#keepToken(link);
        if (link.transport !== "webSocket") void this.#upgrade(link);
        reason = await untilAborted(link.closed, stopped);
        // What breaks off without a word may be a node that has died, and all its clients come back.
        if (!reason) this.#askedToWait ??= this.#advisedToWait;
        reason ??= disconnected();
        lostAt = Date.now();
      } catch (error) {
        reason = error instanceof RealtimeError ? error : disconnected(error);
      }
      this.#loseLink();
      if (stopped.aborted) break;
      if (this.#better) continue;

      if (isOfToken(reason)) {
        // One attempt with a new token, at once; a new one that is refused too is the end.
        if (renew) {
          this.close(reason);
          break;
        }
        renew = true;
      // What was too long is told to who has published it; everything else goes on.
      } else if (!reason.retryable && reason.code !== "payload_too_large") {
        this.close(reason);
        break;
      } else {
        const wait = this.#askedToWait ?? backoff(this.#settings.reconnect, failed++, Math.random());
        this.#enter({ name: this.#nameWhileAway(lostAt), reason, retryAt: Date.now() + wait });
        await this.#pause(wait, stopped);
      }
      if (!stopped.aborted) this.#enter({ name: this.#nameWhileAway(lostAt), reason });
    }
    this.#better?.close();
    this.#better = undefined;
    leaveSignals();
  }

  async #open(renew: boolean, stopped: AbortSignal): Promise<Link> {
    const { transports, retryWebSocketAfter } = this.#settings;
    this.#askedToWait = this.#advisedToWait = undefined;
    this.#early = [];
    const token = this.#token = await this.#settings.token?.(renew);
    const hasOther = transports.some(transport => transport !== "webSocket");
    if (transports.includes("webSocket") && (!hasOther || Date.now() >= this.#noWebSocketUntil)) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#openWebSocket(token, stopped);
        } catch (error) {
          if (stopped.aborted) throw error;
          await this.#greet(token, error, stopped);
          if (!hasOther) throw error;
          if (attempt === webSocketAttempts) break;
        }
      }
      this.#noWebSocketUntil = Date.now() + retryWebSocketAfter;
    } else {
      await this.#greet(token, undefined, stopped);
    }
    return new HttpLink({ ...this.#settings, token, breaker: this.#breaker }, this.#listenerOfLink());
  }

  async #openWebSocket(token: string | undefined, stopped: AbortSignal): Promise<Link> {
    const opening = openHub(this.#settings, token, this.#listenerOfLink());
    try {
      return await untilAborted(withTimeout(opening, this.#settings.openTimeout), stopped);
    } catch (error) {
      opening.then(late => late.close(), () => { /* it has failed, as was said */ });
      throw error;
    }
  }

  #listenerOfLink(): LinkListener {
    return {
      events: events => {
        this.#heardAt = Date.now();
        this.#listener.events(events);
      },
      control: control => this.#control(control),
      request: call => {
        this.#heardAt = Date.now();
        this.#listener.request(call);
      },
      heard: () => { this.#heardAt = Date.now(); },
    };
  }

  /**
   * Whether requests get through, and the token with them. Browsers do not say why a WebSocket was refused; the same address does.
   * @param unless what is the matter where this cannot tell more
   */
  async #greet(token: string | undefined, unless: unknown, stopped: AbortSignal): Promise<void> {
    const door = { url: this.#settings.url, token, answerTimeout: this.#settings.openTimeout, breaker: this.#breaker };
    try {
      await request(door, "POST", "/realtime/negotiate?negotiateVersion=1", undefined, stopped);
    } catch (error) {
      const failure = error as RealtimeError;
      if (failure.retryAfter) this.#askedToWait = failure.retryAfter * (1 + Math.random());
      throw failure.code === "disconnected" || failure.code === "circuit_open" ? unless ?? failure : failure;
    }
  }

  /** A WebSocket costs less: where the network has come to let one through, it takes the link's place. */
  async #upgrade(link: Link): Promise<void> {
    if (!this.#settings.transports.includes("webSocket")) return;
    const gone = new AbortController();
    void link.closed.then(() => gone.abort());
    for (;;) {
      await sleep(this.#noWebSocketUntil - Date.now(), gone.signal);
      if (this.#link !== link) return;
      try {
        const token = await this.#settings.token?.(false);
        const better = await this.#openWebSocket(token, gone.signal);
        if (this.#link !== link) return better.close();
        this.#token = token;
        this.#better = better;
        return link.close();
      } catch {
        this.#noWebSocketUntil = Date.now() + this.#settings.retryWebSocketAfter;
      }
    }
  }

  #control(control: Control): void {
    this.#heardAt = Date.now();
    if (!this.#link) {
      this.#early.push(control);
    } else if (control.type === "draining") {
      this.#askedToWait = control.retryAfterMs ?? 0;
      this.#link.close();
    } else if (control.type === "retry") {
      this.#advisedToWait = control.retryAfterMs ?? undefined;
    } else if (control.type === "expiring") {
      void this.#refresh(this.#link);
    } else {
      this.#listener.control(control);
    }
  }

  /** Replaces the token before its end, where that is known. */
  async #keepToken(link: Link): Promise<void> {
    const gone = new AbortController();
    void link.closed.then(() => gone.abort());
    for (let due = refreshTime(this.#token); due !== undefined; due = refreshTime(this.#token)) {
      for (let rest = due - Date.now(); rest > 0; rest = due - Date.now()) {
        await sleep(Math.min(rest, longestTimer), gone.signal);
        if (this.#link !== link || gone.signal.aborted) return;
      }
      // A provider that has no other yet is asked again when the server says that it is time.
      const old = this.#token;
      if (!await this.#refresh(link) || this.#token === old) return;
    }
  }

  /** What fails here the server tells when the token has ended: the next link has another one. */
  async #refresh(link: Link): Promise<boolean> {
    try {
      const token = await this.#settings.token?.(false);
      if (token === undefined || this.#link !== link) return false;
      await withTimeout(link.refresh(token), this.#settings.answerTimeout);
      this.#token = token;
      return true;
    } catch {
      return false;
    }
  }

  /** Asks a link that has been silent for a heartbeat whether it lives: the server's own pings are not told here. */
  async #watch(link: Link): Promise<void> {
    const { heartbeat } = this.#settings;
    const gone = new AbortController();
    void link.closed.then(() => gone.abort());
    while (this.#link === link && !gone.signal.aborted) {
      const rest = this.#heardAt + heartbeat - Date.now();
      if (rest > 0) await sleep(rest, gone.signal);
      else if (!await this.#probe(link)) return;
    }
  }

  /** False: it does not live, and has been dropped. */
  async #probe(link: Link): Promise<boolean> {
    try {
      await withTimeout(link.probe(), this.#settings.silence - this.#settings.heartbeat);
      this.#heardAt = Date.now();
      return true;
    } catch {
      // It is the network here that has gone.
      if (this.#link === link) this.#advisedToWait = undefined;
      link.close();
      return false;
    }
  }

  #loseLink(): void {
    if (!this.#link) return;
    this.#link.close();
    this.#link = undefined;
    this.#listener.lost();
  }

  #nameWhileAway(since: number): "reconnecting" | "suspended" {
    return Date.now() - since >= this.#settings.suspendAfter ? "suspended" : "reconnecting";
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#listener.state(state);
  }

  async #pause(ms: number, stopped: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await sleep(ms, AbortSignal.any([stopped, woken.signal]));
    this.#wake = undefined;
  }
}

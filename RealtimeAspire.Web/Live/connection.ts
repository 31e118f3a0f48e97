// The page's one connection to the API: started, kept and restarted here, shared by the rooms that are open.

import {
  HttpTransportType, HubConnectionBuilder, HubConnectionState, LogLevel, type HubConnection,
} from "@microsoft/signalr";
import { backoff } from "./backoff.js";
import { Session, SessionEnded } from "./session.js";
import type { Control, SubscribeReply, SubscribeRequest, TopicEvent } from "./wire.js";

export type ConnectionState =
  | { readonly phase: "connecting" }
  | { readonly phase: "connected" }
  /** Without a time: trying right now. */
  | { readonly phase: "reconnecting"; readonly retryAt?: number }
  | { readonly phase: "offline"; readonly reason: "network" | "session" };

export interface TopicListener {
  /** The connection is there, for the first time or again: time to subscribe. */
  connected(): void;
  events(events: readonly TopicEvent[]): void;
  control(control: Control): void;
  state(state: ConnectionState): void;
}

/** A refusal by the server, as opposed to a connection that broke. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

const heartbeat = 15_000;
const silence = 30_000;
/** Going from one room to the next keeps the connection. */
const linger = 2_000;

export class RealtimeConnection {
  readonly #url: string;
  readonly #session = new Session();
  readonly #listeners = new Map<string, TopicListener>();
  readonly #leaving = new Map<string, Promise<void>>();
  #state: ConnectionState = { phase: "connecting" };
  #hub: HubConnection | undefined;
  #running: AbortController | undefined;
  #wake: (() => void) | undefined;
  #release: ReturnType<typeof setTimeout> | undefined;

  constructor(apiUrl: string) {
    this.#url = `${apiUrl}/realtime`;
  }

  /** Listens to a topic until the returned function is called. The listener subscribes itself, when told `connected`. */
  attach(topic: string, listener: TopicListener): () => void {
    clearTimeout(this.#release);
    this.#listeners.set(topic, listener);
    if (!this.#running) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    } else {
      listener.state(this.#state);
      if (this.#state.phase === "connected") listener.connected();
    }
    return () => this.#detach(topic, listener);
  }

  /** Fails with a Refusal when the server says no, with another error when the connection is not there or breaks. */
  async invoke<T>(method: string, argument: unknown): Promise<T> {
    if (this.#hub?.state !== HubConnectionState.Connected) {
      throw new Error("Not connected.");
    }
    try {
      return await this.#hub.invoke<T>(method, argument);
    } catch (error) {
      throw refusal(error) ?? error;
    }
  }

  /** The hub may run two calls at once: leaving a topic ends before it is entered again. */
  async subscribe(request: SubscribeRequest): Promise<SubscribeReply> {
    await this.#leaving.get(request.topic);
    return await this.invoke("Subscribe", request);
  }

  retryNow(): void {
    this.#wake?.();
  }

  #detach(topic: string, listener: TopicListener): void {
    if (this.#listeners.get(topic) !== listener) return;
    this.#listeners.delete(topic);
    const left = this.invoke<void>("Unsubscribe", topic)
      .catch(() => { /* a connection that is gone has no subscriptions */ })
      .finally(() => { if (this.#leaving.get(topic) === left) this.#leaving.delete(topic); });
    this.#leaving.set(topic, left);
    if (this.#listeners.size === 0) {
      this.#release = setTimeout(() => this.#stop(), linger);
    }
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#wake?.();
    void this.#hub?.stop();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const wake = () => this.#wake?.();
    const wakeIfVisible = () => { if (!document.hidden) wake(); };
    const drop = () => void this.#hub?.stop();
    addEventListener("online", wake);
    addEventListener("offline", drop);
    document.addEventListener("visibilitychange", wakeIfVisible);

    this.#enter({ phase: "connecting" });
    for (let attempt = 0; !stopped.aborted; attempt++) {
      let askedToWait = 0;
      // A refused token looks like any other failure to connect, so a new one is tried now and then.
      const renewToken = attempt % 3 === 2;
      try {
        const { hub, closed } = this.#build(renewToken, ms => { askedToWait = ms; });
        this.#hub = hub;
        await hub.start();
        attempt = 0;
        if (stopped.aborted) {
          await hub.stop();
          break;
        }
        this.#enter({ phase: "connected" });
        for (const listener of this.#listeners.values()) listener.connected();
        await closed;
      } catch (error) {
        if (error instanceof SessionEnded) {
          this.#enter({ phase: "offline", reason: "session" });
          await this.#pause(undefined);
          continue;
        }
      }
      if (stopped.aborted) break;

      const wait = askedToWait || backoff(attempt, Math.random());
      // navigator.onLine may be wrong either way (a machine without a network reaches itself), so trying goes on.
      this.#enter(navigator.onLine
        ? { phase: "reconnecting", retryAt: Date.now() + wait }
        : { phase: "offline", reason: "network" });
      await this.#pause(wait);
      if (!stopped.aborted && navigator.onLine) {
        this.#enter({ phase: "reconnecting" });
      }
    }

    removeEventListener("online", wake);
    removeEventListener("offline", drop);
    document.removeEventListener("visibilitychange", wakeIfVisible);
  }

  #build(renewToken: boolean, wait: (ms: number) => void): { hub: HubConnection; closed: Promise<void> } {
    const hub = new HubConnectionBuilder()
      .withUrl(this.#url, {
        transport: HttpTransportType.WebSockets,
        skipNegotiation: true,
        accessTokenFactory: () => this.#session.token(renewToken),
      })
      // Losing the connection is an ordinary state here, shown to the user; not an error for the console.
      .configureLogging(LogLevel.None)
      .build();
    hub.keepAliveIntervalInMilliseconds = heartbeat;
    hub.serverTimeoutInMilliseconds = silence;

    hub.on("Events", (events: readonly TopicEvent[]) => {
      for (const [topic, ofTopic] of Map.groupBy(events, event => event.topic)) {
        this.#listeners.get(topic)?.events(ofTopic);
      }
    });
    hub.on("Control", (control: Control) => {
      if (control.type === "draining") {
        wait(control.retryAfterMs ?? 0);
        void hub.stop();
      } else if (control.topic !== undefined) {
        this.#listeners.get(control.topic)?.control(control);
      }
    });
    const closed = new Promise<void>(resolve => hub.onclose(() => resolve()));
    return { hub, closed };
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    for (const listener of this.#listeners.values()) listener.state(state);
  }

  #pause(ms: number | undefined): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** The hub's errors read `code: sentence`; SignalR puts its own words in front. */
function refusal(error: unknown): Refusal | undefined {
  const match = /HubException: ([a-z][a-z0-9_]*): ([^]*)$/.exec(error instanceof Error ? error.message : "");
  return match ? new Refusal(match[1]!, match[2]!) : undefined;
}

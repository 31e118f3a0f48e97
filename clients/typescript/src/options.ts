// What a client is given, and what it takes where it is given nothing.

import type { Position } from "./wire.js";
import type { Backoff } from "./backoff.js";
import { RealtimeError } from "./errors.js";
import type { Transport } from "./link.js";
import type { LateOutcome, OutboxLimits, OutboxStore } from "./outbox.js";
import type { Tracing } from "./tracing.js";
import type { BreakerLimits } from "./transports/breaker.js";
import type { EventSignature, PublishRequest } from "./wire.js";

/** Times are in milliseconds. */
export interface ClientOptions {
  /**
   * Asked for a token at each connect. `renew`: the last one was refused, so another is wanted; where that is refused too, the
   * client closes. To close it when the session has ended, throw a `RealtimeError` that is not retryable.
   */
  readonly token?: (renew: boolean) => string | undefined | Promise<string | undefined>;
  /** What may be used, the first that gets through: `["webSocket", "stream", "poll"]`. */
  readonly transports?: readonly Transport[];
  /** How long a WebSocket is not tried again where none got through: 60,000. Then it takes the place of what is used meanwhile. */
  readonly retryWebSocketAfter?: number;
  /** How long to wait between attempts, with full jitter: `{ first: 200, longest: 10_000 }`. */
  readonly reconnect?: Partial<Backoff>;
  /** How long a lost connection is `reconnecting` before it is `suspended`: 120,000. */
  readonly suspendAfter?: number;
  /** How long nothing comes until the server is asked whether it lives: 15,000. */
  readonly heartbeat?: number;
  /** How long nothing comes until it is thought not to: 30,000, more than `heartbeat`. */
  readonly silence?: number;
  /** How long one attempt to connect may take: 10,000. */
  readonly openTimeout?: number;
  /** How long to wait for an answer before the same request is sent again: 10,000. */
  readonly answerTimeout?: number;
  /** After so many requests over HTTP that failed in a row none is sent for a while: `{ failures: 5, pause: 5_000 }`. */
  readonly breaker?: Partial<BreakerLimits>;
  /** What may wait for the connection. */
  readonly outbox?: OutboxOptions;
  /** Continues the application's traces through the server, and those of others here. */
  readonly tracing?: Tracing;
  /**
   * Signs what is published, before it waits for anything: `request => signer.sign(request)`, of an `EventSigner` whose key is registered.
   * What it answers nothing for is not signed.
   */
  readonly sign?: (request: PublishRequest) => EventSignature | undefined | Promise<EventSignature | undefined>;
  /** For which share of the events, 0 to 1, the server is told that they have arrived: 0. It then shows how long they take. */
  readonly receipts?: number;
  /**
   * Told when the application's backend has subscribed this connection to a topic that this client is not subscribed to, with the
   * position that its events follow: subscribe from there to have them.
   */
  readonly onSubscribed?: (topic: string, position: Position) => void;
}

/** `count` publishes may wait, 1,000, none longer than `age` milliseconds, 23 hours: less than the 24 for which the server remembers ids. */
export interface OutboxOptions extends Partial<OutboxLimits> {
  /** Keeps them when the page or process ends, for the next one: in a browser `indexedDbOutbox()`. Memory only by default. */
  readonly store?: OutboxStore;
  /** Told what became of publishes that an earlier page or process has left behind. */
  readonly onLateOutcome?: (outcome: LateOutcome) => void;
}

export type Settings = ReturnType<typeof settle>;

const transports: readonly Transport[] = ["webSocket", "stream", "poll"];
const hour = 60 * 60 * 1000;
const day = 24 * hour;

/** Fills the defaults in. Fails with `option_invalid` and the option's name. */
export function settle(url: string, options: ClientOptions) {
  const { store, onLateOutcome, ...limits } = options.outbox ?? {};
  const settings = {
    url: url.replace(/\/+$/, ""),
    token: options.token,
    transports: options.transports ?? transports,
    retryWebSocketAfter: options.retryWebSocketAfter ?? 60_000,
    reconnect: { first: 200, longest: 10_000, ...options.reconnect },
    suspendAfter: options.suspendAfter ?? 120_000,
    heartbeat: options.heartbeat ?? 15_000,
    silence: options.silence ?? 30_000,
    openTimeout: options.openTimeout ?? 10_000,
    answerTimeout: options.answerTimeout ?? 10_000,
    breaker: { failures: 5, pause: 5_000, ...options.breaker },
    outbox: { count: 1_000, age: 23 * hour, ...limits },
    store,
    onLateOutcome,
    tracing: options.tracing,
    sign: options.sign,
    receipts: options.receipts ?? 0,
    onSubscribed: options.onSubscribed,
  };
  const { reconnect, breaker, outbox } = settings;
  require(/^https?:\/\/./.test(settings.url), "The server's address begins with http:// or https://.");
  require(settings.transports.length > 0 && settings.transports.every(one => transports.includes(one)), "transports are some of webSocket, stream and poll.");
  for (const name of ["retryWebSocketAfter", "suspendAfter"] as const) require(settings[name] >= 0, `${name} is 0 or more.`);
  for (const name of ["heartbeat", "openTimeout", "answerTimeout"] as const) require(settings[name] > 0, `${name} is more than 0.`);
  require(settings.silence > settings.heartbeat, "silence is more than heartbeat.");
  require(reconnect.first > 0 && reconnect.longest >= reconnect.first, "reconnect.first is more than 0, and reconnect.longest not less.");
  require(breaker.failures >= 1 && breaker.pause > 0, "breaker.failures is 1 or more, and breaker.pause more than 0.");
  require(outbox.count >= 1, "outbox.count is 1 or more.");
  require(outbox.age > 0 && outbox.age < day, "outbox.age is more than 0 and less than the 24 hours for which the server remembers ids.");
  require(settings.receipts >= 0 && settings.receipts <= 1, "receipts is a share, 0 to 1.");
  return settings;
}

function require(holds: boolean, sentence: string): void {
  if (!holds) throw new RealtimeError("option_invalid", sentence, false);
}

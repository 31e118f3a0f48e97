// Does with the client what the conformance suite tells it, in Node and in browsers.

import {
  EventSigner, EventVerifier, indexedDbOutbox, OptimisticState, RealtimeClient, RealtimeError, sessionPositions, SigningKeys, type ClientOptions, type Handling, type HistoryRequest, type IncomingCall, type LateOutcome,
  type Lost, type OutboxItem, type OutboxStore, type Position, type PositionStore, type PublishOptions, type Subscription, type SubscribeOptions, type TopicEvent,
} from "../src/index.js";
import { tracing, traces } from "./tracing.js";

interface Heard {
  readonly events: unknown[];
  readonly payloads: unknown[];
  readonly recoveries: string[];
  /** The trace that each was dealt with in; null outside of any. */
  readonly traces: (string | null)[];
  readonly lost: Lost[];
  /** What became of the signature of each. */
  readonly signatures: string[];
  position?: Position | null;
  ended?: string | null;
}

interface Known {
  readonly client: RealtimeClient;
  readonly states: string[];
  readonly tokens: { asked: number; renewed: number };
  readonly subscribed: string[];
  readonly keys: SigningKeys;
  readonly signer: EventSigner | undefined;
}

/** What the application's side of a subscription does, beside hearing. */
interface Behaviour {
  /** Milliseconds for each event. */
  readonly slow?: number;
  /** What `reload` returns. */
  readonly reload?: Position;
  /** Fails at the event with this payload. */
  readonly failsAt?: unknown;
  /** Iterated instead of a callback. */
  readonly iterate?: boolean;
  /** Verifies what comes. */
  readonly verify?: boolean;
}

/** What a handler of calls does. */
interface HandlerBehaviour {
  readonly answer?: unknown;
  /** Answers with the payload. */
  readonly echo?: boolean;
  /** Fails with this code, or, where it is none of an application, with an error of some other kind. */
  readonly throws?: string;
  /** Does not answer. */
  readonly hangs?: boolean;
}

/** What was handled. */
interface Handled {
  readonly payloads: unknown[];
  readonly from: string[];
  readonly traces: (string | null)[];
  ended?: string | null;
}

const clients = new Map<string, Known>();
const subscriptions = new Map<string, { readonly heard: Heard; subscription?: Subscription }>();
const publishes = new Map<string, { code?: string; position?: Position | null; duplicate?: boolean }>();

const handled = new Map<string, { readonly seen: Handled; handling?: Handling }>();
const calls = new Map<string, { code?: string; reply?: unknown }>();
const histories = new Map<string, { payloads: unknown[]; recovery: string; complete: boolean }>();
const states = new Map<string, OptimisticState<unknown[]>>();

const isBrowser = typeof document !== "undefined";

/** What outlives clients where there is no browser: an application would have a disk. */
const outboxes = new Map<string, Map<string, OutboxItem>>();
const positions = new Map<string, Map<string, Position>>();
const lateOutcomes: { id: string; code?: string; duplicate?: boolean }[] = [];

function outboxOf(name: string): OutboxStore {
  if (isBrowser) return indexedDbOutbox(name);
  const items = outboxes.get(name) ?? new Map<string, OutboxItem>();
  outboxes.set(name, items);
  return {
    open: async take => take([...items.values()]),
    put: item => items.set(`${item.request.topic} ${item.request.id}`, item),
    delete: item => items.delete(`${item.request.topic} ${item.request.id}`),
    close: () => { /* there is one at a time */ },
  };
}

function positionsOf(name: string): PositionStore {
  if (isBrowser) return sessionPositions(name);
  const places = positions.get(name) ?? new Map<string, Position>();
  positions.set(name, places);
  return { load: topic => places.get(topic), save: (topic, position) => void places.set(topic, position) };
}

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));
const codeOf = (error: unknown) => (error instanceof RealtimeError ? error.code : String(error));

const commands: Record<string, (command: any) => unknown> = {
  async open({ name, url, tokens, options, store, signs }: { name: string; url: string; tokens: string[]; options?: ClientOptions; store?: string | null; signs?: boolean | null }) {
    const signer = signs ? await EventSigner.create() : undefined;
    const asked = { asked: 0, renewed: 0 };
    const states: string[] = [];
    const subscribed: string[] = [];
    const client = new RealtimeClient(url, {
      ...options,
      tracing,
      ...(signer && { sign: request => signer.sign(request) }),
      outbox: { ...options?.outbox, ...(store && { store: outboxOf(store) }), onLateOutcome: late },
      onSubscribed: topic => void subscribed.push(topic),
      token: renew => {
        if (renew) asked.renewed++;
        return tokens[Math.min(asked.asked++, tokens.length - 1)];
      },
    });
    client.onState(({ name: state }) => { if (states.at(-1) !== state) states.push(state); });
    clients.set(name, { client, states, subscribed, tokens: asked, keys: new SigningKeys(url, { token: () => tokens[0], keep: 0 }), signer });
  },
  registerKey: ({ client }) => clients.get(client)!.keys.register(clients.get(client)!.signer!.publicKey),
  revokeKey: ({ client }) => clients.get(client)!.keys.revoke(clients.get(client)!.signer!.keyId),
  connect: ({ client }) => known(client).connect(),
  disconnect: ({ client }) => known(client).disconnect(),
  retryNow: ({ client }) => known(client).retryNow(),
  close: ({ client }) => known(client).close(),

  async subscribe({ client, topic, as, options = {}, behaviour = {}, positions: kept }: {
    client: string; topic: string; as: string; options?: SubscribeOptions; behaviour?: Behaviour; positions?: string;
  }) {
    const heard: Heard = { events: [], payloads: [], recoveries: [], traces: [], lost: [], signatures: [] };
    const entry: { readonly heard: Heard; subscription?: Subscription } = { heard };
    subscriptions.set(as, entry);
    const { keys } = clients.get(client)!;
    const verifier = new EventVerifier(keyId => keys.find(keyId));
    const hear = async (event: TopicEvent) => {
      if (behaviour.slow) await pause(behaviour.slow);
      if (behaviour.verify) {
        const { status, key } = await verifier.verify(event);
        heard.signatures.push(key?.revokedAt ? `${status}, revoked` : status);
      }
      if ("failsAt" in behaviour && event.data.payload === behaviour.failsAt) throw new Error("as asked");
      heard.traces.push(traces.current);
      heard.events.push(event);
      heard.payloads.push(event.data.payload);
    };
    const subscription = await known(client).subscribe(topic, {
      ...options,
      ...(kept !== undefined && { positions: positionsOf(kept) }),
      onRecovery: recovery => heard.recoveries.push(recovery),
      reload: lost => {
        heard.lost.push(lost);
        return behaviour.reload;
      },
      ...(behaviour.iterate ? {} : { onEvent: hear }),
    });
    entry.subscription = subscription;
    if (behaviour.iterate) {
      void (async () => { for await (const event of subscription) await hear(event); })().catch(() => { /* told by `closed` */ });
    }
    void subscription.closed.then(error => { heard.ended = error?.code ?? null; });
    return { position: subscription.position };
  },
  leave: ({ subscription }) => subscriptions.get(subscription)!.subscription!.close(),

  publish({ client, topic, event = "app:note", payload, as, options, trace }: {
    client: string; topic: string; event?: string; payload: unknown; as?: string; options?: PublishOptions; trace?: string;
  }) {
    const published = traces.within(trace, () => known(client).publish(topic, event, payload, options));
    if (as === undefined) return published;
    // The suite looks later what became of it.
    published.then(
      ({ position, duplicate }) => publishes.set(as, { position, duplicate }),
      (error: unknown) => publishes.set(as, { code: codeOf(error) }));
    return undefined;
  },

  call({ client, topic, method, payload, as, options, trace }: { client: string; topic: string; method: string; payload?: unknown; as: string; options?: { timeout?: number }; trace?: string }) {
    const called = traces.within(trace, () => known(client).call(topic, method, payload, options));
    called.then(reply => calls.set(as, { reply }), (error: unknown) => calls.set(as, { code: codeOf(error) }));
  },
  async handle({ client, topic, method, as, behaviour = {} }: { client: string; topic: string; method: string; as: string; behaviour?: HandlerBehaviour }) {
    const seen: Handled = { payloads: [], from: [], traces: [] };
    const entry: { readonly seen: Handled; handling?: Handling } = { seen };
    handled.set(as, entry);
    entry.handling = await known(client).handle(topic, method, (payload, { from }: IncomingCall) => {
      seen.payloads.push(payload);
      seen.from.push(from);
      seen.traces.push(traces.current);
      if (behaviour.hangs) return new Promise(() => { /* never */ });
      if (behaviour.throws !== undefined) throw new RealtimeError(behaviour.throws, "as asked", false);
      return behaviour.echo ? payload : behaviour.answer;
    });
    void entry.handling.closed.then(error => { seen.ended = error?.code ?? null; });
  },
  unhandle: ({ handling }) => handled.get(handling)!.handling!.close(),

  async optimistic({ client, topic, as }: { client: string; topic: string; as: string }) {
    const state = new OptimisticState<unknown[]>([], (values, { payload }) => [...values, payload]);
    states.set(as, state);
    await known(client).subscribe(topic, { onEvent: event => state.receive(event) });
  },
  change({ state, client, topic, event = "app:note", payload, as }: { state: string; client: string; topic: string; event?: string; payload: unknown; as: string }) {
    states.get(state)!.publish(known(client), topic, event, payload).then(
      ({ position, duplicate }) => publishes.set(as, { position, duplicate }),
      (error: unknown) => publishes.set(as, { code: codeOf(error) }));
  },

  async history({ client, as, request }: { client: string; as: string; request: HistoryRequest }) {
    const { events, recovery, complete } = await known(client).history(request);
    histories.set(as, { payloads: events.map(({ data }) => data.payload), recovery, complete });
  },
  acknowledge: ({ client, topic, position, consumer }) => known(client).acknowledge(topic, position, consumer),

  look: () => ({
    clients: Object.fromEntries([...clients].map(([name, { client, states, subscribed, tokens }]) => [name, {
      state: client.state.name, reason: client.state.reason?.code ?? null, transport: client.transport ?? null, waiting: client.waiting, states, subscribed, tokens,
    }])),
    subscriptions: Object.fromEntries([...subscriptions].map(([as, { heard, subscription }]) => [as, { ...heard, position: subscription?.position ?? null }])),
    publishes: Object.fromEntries(publishes),
    calls: Object.fromEntries(calls),
    handlings: Object.fromEntries([...handled].map(([as, { seen }]) => [as, seen])),
    histories: Object.fromEntries(histories),
    states: Object.fromEntries([...states].map(([as, { value, pending }]) => [as, { value, pending: pending.length }])),
    lateOutcomes,
  }),
};

function late(outcome: LateOutcome): void {
  const { id } = outcome.item.request;
  lateOutcomes.push("error" in outcome ? { id, code: outcome.error.code } : { id, duplicate: outcome.reply.duplicate });
}

function known(name: string): RealtimeClient {
  return clients.get(name)!.client;
}

export interface Order {
  readonly command: string;
  readonly [member: string]: unknown;
}

/** What came of it. */
export async function obey({ command, ...members }: Order): Promise<{ result: unknown } | { error: { code: string; message: string } }> {
  try {
    return { result: await commands[command]!(members) ?? null };
  } catch (error) {
    return { error: { code: codeOf(error), message: error instanceof Error ? error.message : "" } };
  }
}

// The WebSocket transport: SignalR's hub, without its reconnecting.

import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { fromClose, fromHub } from "../errors.js";
import type { Link, LinkListener, Question } from "../link.js";
import type {
  CallReply, CallRequest, Control, HistoryPage, HistoryRequest, IncomingCall, Outcome, Position, PublishReply, PublishRequest, Receipt, SubscribeReply, SubscribeRequest,
  TopicEvent,
} from "../wire.js";

export interface HubSettings {
  readonly url: string;
  readonly heartbeat: number;
  readonly silence: number;
}

/** Opens a connection to the hub. Fails with a `RealtimeError`. */
export async function openHub(settings: HubSettings, token: string | undefined, listener: LinkListener): Promise<Link> {
  const hub = new HubConnectionBuilder()
    .withUrl(`${settings.url}/realtime`, {
      transport: HttpTransportType.WebSockets,
      skipNegotiation: true,
      ...(token === undefined ? {} : { accessTokenFactory: () => token }),
    })
    // A lost connection is an ordinary state here, and not an error for the console.
    .configureLogging(LogLevel.None)
    // Whether the server lives is asked by whoever has opened this.
    .withServerTimeout(2 * settings.silence + 60_000)
    .withKeepAliveInterval(settings.heartbeat)
    .build();
  hub.on("Events", (events: readonly TopicEvent[]) => listener.events(events));
  hub.on("Control", (control: Control) => listener.control(control));
  hub.on("Request", (call: IncomingCall) => listener.request(call));
  const link = new HubLink(hub);
  try {
    await hub.start();
  } catch (error) {
    throw fromHub(error);
  }
  return link;
}

class HubLink implements Link {
  readonly transport = "webSocket";
  readonly closed;
  readonly handling = {
    handle: (topic: string, method: string) => this.#call<void>("Handle", { topic, method }),
    unhandle: (topic: string, method: string) => this.#call<void>("Unhandle", { topic, method }),
    reply: (reply: CallReply) => this.#call<void>("Reply", reply),
  };
  readonly #hub: HubConnection;

  constructor(hub: HubConnection) {
    this.#hub = hub;
    this.closed = new Promise<ReturnType<typeof fromClose>>(resolve => hub.onclose(error => resolve(fromClose(error))));
  }

  subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Outcome<SubscribeReply>[]> {
    return this.#call("SubscribeMany", requests);
  }

  unsubscribe(topic: string): Promise<void> {
    return this.#call("Unsubscribe", topic);
  }

  publish(requests: readonly PublishRequest[]): Promise<readonly Outcome<PublishReply>[]> {
    return this.#call<readonly Outcome<PublishReply>[]>("PublishBatch", requests).catch((error: unknown) => {
      const farewell = fromClose((error as Error).cause as Error | undefined);
      // This one is an answer: the server has not read what it closes the connection for.
      throw farewell?.code === "payload_too_large" ? farewell : error;
    });
  }

  history(request: HistoryRequest): Promise<HistoryPage> {
    return this.#call("History", request);
  }

  acknowledge(topic: string, position: Position, consumer: string): Promise<void> {
    return this.#call("Acknowledge", { topic, position, consumer });
  }

  ask<T>({ hub, argument }: Question): Promise<T> {
    return this.#call(hub, argument);
  }

  call(request: CallRequest): Promise<unknown> {
    return this.#call("Call", request);
  }

  receipts(receipts: readonly Receipt[]): Promise<void> {
    return this.#call("Receipts", receipts);
  }

  refresh(token: string): Promise<void> {
    return this.#call("Refresh", token);
  }

  async probe(): Promise<void> {
    // Any answer will do, also a refusal.
    await this.#hub.invoke("Unsubscribe", "probe:probe").catch((error: unknown) => {
      const { code } = fromHub(error);
      if (code === "disconnected") throw error;
    });
  }

  close(): void {
    this.#hub.stop().catch(() => { /* it is gone all the same */ });
  }

  async #call<T>(method: string, argument: unknown): Promise<T> {
    try {
      return await this.#hub.invoke<T>(method, argument);
    } catch (error) {
      throw fromHub(error);
    }
  }
}

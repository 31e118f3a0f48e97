// One connection, of whatever transport, from its opening to its end. Reconnecting is somebody else's business.

import type { RealtimeError } from "./errors.js";
import type {
  CallReply, CallRequest, Control, HistoryPage, HistoryRequest, IncomingCall, Outcome, Position, PublishReply, PublishRequest, Receipt, SubscribeReply, SubscribeRequest,
  TopicEvent,
} from "./wire.js";

/** How events come: over a WebSocket, or, where none passes, as a stream or by asking again and again. */
export type Transport = "webSocket" | "stream" | "poll";

/** What a feature asks: a method of the hub with its argument, or a request. */
export interface Question {
  readonly hub: string;
  readonly argument: object;
  readonly method: string;
  readonly path: string;
  /** Sent where it is no GET. */
  readonly body?: object;
}

export interface LinkListener {
  events(events: readonly TopicEvent[]): void;
  control(control: Control): void;
  /** Somebody calls what is handled here. */
  request(call: IncomingCall): void;
  /** The server has shown that it lives. */
  heard?(): void;
}

/** Calls fail with a {@link RealtimeError}: `disconnected` where the link broke, else what the server said. */
export interface Link {
  readonly transport: Transport;
  /** Settles when the link is gone, with the server's reason if it gave one. Never rejects. */
  readonly closed: Promise<RealtimeError | undefined>;
  subscribe(requests: readonly SubscribeRequest[]): Promise<readonly Outcome<SubscribeReply>[]>;
  unsubscribe(topic: string): Promise<void>;
  publish(requests: readonly PublishRequest[]): Promise<readonly Outcome<PublishReply>[]>;
  history(request: HistoryRequest): Promise<HistoryPage>;
  acknowledge(topic: string, position: Position, consumer: string): Promise<void>;
  /** A question of a feature: a method of the hub with its argument, or the same over HTTP. */
  ask<T>(question: Question): Promise<T>;
  /** The handler's answer. */
  call(request: CallRequest): Promise<unknown>;
  /** Absent where nobody can be asked. */
  readonly handling?: {
    handle(topic: string, method: string): Promise<void>;
    unhandle(topic: string, method: string): Promise<void>;
    reply(reply: CallReply): Promise<void>;
  };
  receipts(receipts: readonly Receipt[]): Promise<void>;
  /** Gives the living link a new token. */
  refresh(token: string): Promise<void>;
  /** A round trip: fails where nobody answers any more. */
  probe(): Promise<void>;
  close(): void;
}

// What travels between a client and the server, field for field as in docs/protocol.md.

/** A place in a topic: so far has been read. Its text form is `epoch:offset`. */
export interface Position {
  /** One incarnation of the topic's log; opaque. */
  readonly epoch: string;
  /** 1, 2, 3 … per topic; 0 is before the first event. */
  readonly offset: number;
}

/** A publisher's signature of an event: ECDSA over P-256 with SHA-256 of the event's signed text. */
export interface EventSignature {
  /** Which of the publisher's keys: the RFC 7638 thumbprint of its public half. */
  readonly keyId: string;
  /** 64 bytes, r and s, in base64url. */
  readonly value: string;
  /** When the publisher has signed: UTC, to the millisecond. It is a part of what is signed. */
  readonly signedAt: string;
}

/** An event of a topic. `T` is the type of its payload, `Name` that of its name. */
export interface TopicEvent<T = unknown, Name extends string = string> {
  /** `type:identifier` */
  readonly topic: string;
  /** What happened, for example `chat:message`. */
  readonly event: Name;
  /** Absent, like the epoch, where the event is ephemeral: it is in no log and not recovered. */
  readonly offset?: number;
  readonly epoch?: string;
  /** The publish's id. */
  readonly id: string | null;
  /** The version of the payload's form. */
  readonly v: number;
  readonly data: {
    /** The thing the event is about. */
    readonly entity_id: string | null;
    readonly payload: T;
    /** Who published it; null where the server did. */
    readonly user_id: string | null;
    /** UTC, to the millisecond. */
    readonly timestamp: string;
    /** Absent where the publisher has not signed. */
    readonly signature?: EventSignature;
  };
  /** The publisher's trace: a W3C traceparent. */
  readonly trace_id: string | null;
}

/**
 * What became of a position: `none` was asked for; all is there (`recovered`); some events are no longer kept (`gap`); or
 * the position belongs to another incarnation of the log (`new_epoch`).
 */
export type Recovery = "none" | "recovered" | "gap" | "new_epoch";

/** What a reader who is slower than the topic gets. */
export type Qos =
  | { readonly mode: "all" }
  /** The newest event of each key, which is the event name and the entity id. */
  | { readonly mode: "latest" }
  /** The same, at most once per interval of 10 to 60,000 ms. */
  | { readonly mode: "conflate"; readonly intervalMs: number };

/** The newest so many events, or those since a time (UTC). */
export type Rewind = { readonly count: number } | { readonly since: string };

export interface SubscribeRequest {
  readonly topic: string;
  readonly position?: Position;
  readonly rewind?: Rewind;
  readonly from?: "cursor";
  readonly consumer?: string;
  readonly qos?: Qos;
  readonly ephemeral?: boolean;
  readonly presence?: "occupancy" | "members";
}

/** How somebody is. */
export type PresenceStatus = "online" | "away" | "dnd" | "offline";

/** A user who is on a topic. */
export interface PresentUser {
  readonly user: string;
  /** What he has chosen, `dnd` or `away`; else `online` where one of his connections is active, `away` where none is. */
  readonly status: PresenceStatus;
  /** What he says of it. */
  readonly text?: string;
  /** His tabs and devices. */
  readonly connections: readonly { readonly transport: string; readonly active: boolean; readonly data?: unknown }[];
}

/** How many are on a topic. */
export interface Occupancy {
  readonly connections: number;
  readonly users: number;
}

/** What there is to say of oneself; what is missing stays as it is. */
export interface OwnPresence {
  /** On all topics and devices; `online` is nothing special. */
  readonly status?: "online" | "away" | "dnd";
  /** At most 140 characters; an empty one takes it back. */
  readonly text?: string;
  /** Whether somebody uses this connection; over a WebSocket only. */
  readonly active?: boolean;
  /** What there is to say of this connection, an object; over a WebSocket only. */
  readonly data?: object;
  /** Where `data` is said; everywhere by default. */
  readonly topic?: string;
}

/** A page of who is on a topic. */
export interface PresencePage {
  /** By name. */
  readonly members: readonly PresentUser[];
  readonly occupancy: Occupancy;
  /** There are none behind them. */
  readonly complete: boolean;
}

export interface SubscribeReply {
  readonly topic: string;
  readonly position: Position;
  readonly recovery: Recovery;
  readonly events: readonly TopicEvent[];
  /** Nothing is live yet: subscribe again from the position. */
  readonly more?: boolean;
  readonly expiresAt?: string | null;
}

export interface PublishRequest {
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  readonly id?: string;
  readonly entityId?: string;
  readonly v?: number;
  /** The publisher's trace, which the event's continues: a W3C traceparent. */
  readonly trace_id?: string;
  readonly signature?: EventSignature;
}

export interface PublishReply {
  /** Null where the event is ephemeral. */
  readonly position: Position | null;
  readonly timestamp: string;
  /** An earlier publish of the same id appended it. */
  readonly duplicate: boolean;
}

export interface HistoryRequest {
  readonly topic: string;
  readonly after?: Position;
  readonly before?: Position;
  /** At most so many; the server has a limit of its own. */
  readonly limit?: number;
}

export interface HistoryPage<Event extends TopicEvent = TopicEvent> {
  /** Ascending. */
  readonly events: readonly Event[];
  readonly position: Position;
  readonly recovery: Recovery;
  /** There is no more in this direction. */
  readonly complete: boolean;
}

export interface Control {
  readonly type: string;
  readonly topic?: string | null;
  readonly code?: string | null;
  readonly reason?: string | null;
  readonly position?: Position | null;
  readonly count?: number | null;
  readonly retryAfterMs?: number | null;
}

export interface CallRequest {
  readonly topic: string;
  readonly method: string;
  readonly payload: unknown;
  readonly timeoutMs: number;
  readonly trace_id?: string;
}

/** A call that a client is asked to answer. */
export interface IncomingCall<T = unknown> {
  readonly callId: string;
  readonly topic: string;
  readonly method: string;
  readonly payload: T;
  /** The caller's user id, as the server has authenticated it. */
  readonly from: string;
  /** How long the caller waits. */
  readonly timeoutMs: number;
  readonly trace_id: string | null;
}

export interface CallReply {
  readonly callId: string;
  readonly payload?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** An event has arrived here. */
export interface Receipt {
  readonly topic: string;
  /** The event's. */
  readonly timestamp: string;
  /** Milliseconds from its arrival until this is sent. */
  readonly delayMs: number;
  readonly trace_id?: string;
}

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** After how many milliseconds the same request may succeed, where that is known. */
  readonly retryAfterMs?: number;
}

/** One element's outcome of a call about many. */
export type Outcome<T> = { readonly reply: T; readonly error?: null } | { readonly reply?: null; readonly error: ErrorBody };

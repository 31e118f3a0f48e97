// What travels between the browser and the API: the hub's objects, field for field.

export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export interface TopicEvent {
  readonly topic: string;
  readonly event: string;
  /** Absent, like the epoch, on ephemeral events. */
  readonly offset?: number;
  readonly epoch?: string;
  readonly id?: string;
  readonly data: {
    readonly payload: unknown;
    readonly user_id?: string;
    readonly timestamp: string;
  };
}

export type SubscribeRequest =
  | { readonly topic: string; readonly position: Position }
  | { readonly topic: string; readonly rewind: { readonly count: number } };

export interface SubscribeReply {
  readonly topic: string;
  readonly position: Position;
  readonly recovery: "none" | "recovered" | "gap" | "new_epoch";
  readonly events: readonly TopicEvent[];
  readonly more?: boolean;
}

export interface PublishReply {
  readonly position: Position | null;
  readonly timestamp: string;
  readonly duplicate: boolean;
}

export interface Control {
  readonly type: string;
  readonly topic?: string;
  readonly reason?: string;
  readonly retryAfterMs?: number;
}

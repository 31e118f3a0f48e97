// Made by realtime-types from the events that the server has registered: make it again rather than change it.

/** A message in a room. */
export interface ChatMessage {
  /** 1 to 4000 characters. */
  readonly text: string;
}

/** Something unusual that was seen. */
export interface SecuritySignal {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  /** 50 at the threshold, 75 at twice, 100 at four times as much. */
  readonly score: number;
  /** A sentence with the numbers. */
  readonly explanation: string;
  /** As `date-time`. */
  readonly firstSeen: string;
  /** As `date-time`. */
  readonly lastSeen: string;
  /** How often it was over the threshold since it was told last. */
  readonly count: number;
  readonly node: string;
  /** observe, slow, challenge or block. */
  readonly action: string;
  /** Until when that holds; null where nothing is done. */
  readonly until?: string | null;
  readonly region?: string | null;
}

/** What the payload of each event is. */
export interface RealtimeEvents {
  "chat:message": ChatMessage;
  "security:signal": SecuritySignal;
}

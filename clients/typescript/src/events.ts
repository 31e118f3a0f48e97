// Made by realtime-types from the events that the server has registered: make it again rather than change it.

/** Members of the topic as they are now. */
export interface ChangedMembers {
  readonly members: readonly ({
    readonly user: string;
    readonly status: "online" | "away" | "dnd" | "offline";
    readonly connections: readonly ({
      readonly transport: string;
      readonly active: boolean;
      readonly data?: unknown;
    })[];
    readonly text?: string | null;
  })[];
}

/** A message in a room. */
export interface ChatMessage {
  /** 1 to 4000 characters. */
  readonly text: string;
}

/** Where its user points, and what he has selected. */
export interface Cursor {
  readonly x: number;
  readonly y: number;
  readonly selection?: unknown;
  /** At most 32 characters. */
  readonly colour?: string | null;
}

/** Users who are no longer on the topic. */
export interface LeftMembers {
  readonly users: readonly string[];
}

/** How many are on the topic. */
export interface Occupancy {
  readonly connections: number;
  readonly users: number;
}

/** Who is on the topic; what follows changes this. */
export interface PresentMembers {
  readonly members: readonly ({
    readonly user: string;
    readonly status: "online" | "away" | "dnd" | "offline";
    readonly connections: readonly ({
      readonly transport: string;
      readonly active: boolean;
      readonly data?: unknown;
    })[];
    readonly text?: string | null;
  })[];
  /** How many are on the topic. */
  readonly occupancy: {
    readonly connections: number;
    readonly users: number;
  };
  readonly complete: boolean;
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

/** Its user types; for six seconds, unless it comes again. */
export interface Typing {
  readonly active: boolean;
}

/** What the payload of each event is. */
export interface RealtimeEvents {
  "chat:message": ChatMessage;
  "cursor": Cursor;
  "presence:join": ChangedMembers;
  "presence:leave": LeftMembers;
  "presence:members": PresentMembers;
  "presence:occupancy": Occupancy;
  "presence:update": ChangedMembers;
  "security:signal": SecuritySignal;
  "typing": Typing;
}

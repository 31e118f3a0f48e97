// Made by realtime-types from the events that the server has registered: make it again rather than change it.

/** Moves the note that entity_id names, or gives it another text. What is missing stays as it is. */
export interface CanvasChange {
  /** Plain text. 1 to 500 characters. */
  readonly text?: string | null;
  /** Of its upper left corner. */
  readonly x?: number | null;
  /** Of its upper left corner. */
  readonly y?: number | null;
}

/** Takes away everything that was there before. */
export type CanvasClear = Readonly<Record<string, unknown>>;

/** A note that somebody has placed. entity_id is its name, which its publisher makes. */
export interface CanvasNote {
  /** Plain text. 1 to 500 characters. */
  readonly text: string;
  /** Of its upper left corner. */
  readonly x: number;
  /** Of its upper left corner. */
  readonly y: number;
  /** As that of a stroke. 1 to 32 characters. */
  readonly colour: string;
}

/** Takes back the stroke or note that entity_id names, by who has made it. */
export type CanvasRemove = Readonly<Record<string, unknown>>;

/** A line that somebody has drawn. entity_id is its name, which its publisher makes. */
export interface CanvasStroke {
  /** x and y of each of its points, one after the other. 2 to 1024 items. */
  readonly points: readonly number[];
  /** One of ink, red, orange, yellow, green, teal, blue and purple; another one is drawn as ink. 1 to 32 characters. */
  readonly colour: string;
  /** How wide it is. 0.5 to 64. */
  readonly width: number;
}

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

/** A user has given a bot a command. The command's id is the event's offset as text. */
export interface ChatCommand {
  /** The topic of the room in which it was given. 1 to 161 characters. */
  readonly room: string;
  /** The command, without the slash. 1 to 32 characters. */
  readonly name: string;
  /** What followed it. At most 4000 characters. */
  readonly text: string;
  /** Who has given it. 1 to 255 characters. */
  readonly user: string;
  /** The id of the message in whose thread it was given. 1 to 19 characters. */
  readonly thread?: string | null;
}

/** Takes back the message that entity_id names: by its author, or by the server for a moderator. */
export interface ChatDelete {
  /** The moderator. From clients it means nothing. 1 to 255 characters. */
  readonly by?: string | null;
}

/** Another text for the message that entity_id names, by its author. */
export interface ChatEdit {
  /** Markdown source. 1 to 4000 characters. */
  readonly text: string;
  /** The users that it is meant for. At most 100 items. */
  readonly mentions?: readonly string[] | null;
}

/** A message in a room. Its id is the event's offset as text. */
export interface ChatMessage {
  /** Markdown source. 1 to 4000 characters. */
  readonly text: string;
  /** The id of the message that it answers. 1 to 19 characters. */
  readonly replyTo?: string | null;
  /** The id of the message whose thread it is in. 1 to 19 characters. */
  readonly thread?: string | null;
  /** The users that it is meant for. At most 100 items. */
  readonly mentions?: readonly string[] | null;
  /** The ids of files that were uploaded to the room. At most 20 items. */
  readonly attachments?: readonly string[] | null;
}

/** Pins the message that entity_id names to its room, or takes that back. */
export interface ChatPin {
  /** Whether it is pinned from now on. */
  readonly on: boolean;
}

/** A reaction to the message that entity_id names. */
export interface ChatReaction {
  /** The emoji, or the name of one. 1 to 64 characters. */
  readonly emoji: string;
  /** Whether it is there from now on. */
  readonly on: boolean;
}

/** How far a member has read a room. */
export interface ChatRead {
  /** Who. 1 to 255 characters. */
  readonly user: string;
  /** Everything up to this offset. */
  readonly offset: number;
}

/** A bot's answer to a command, for the user who has given it alone. */
export interface ChatReply {
  /** The topic of the room in which the command was given. 1 to 161 characters. */
  readonly room: string;
  /** The bot. 1 to 128 characters. */
  readonly bot: string;
  /** The command's id. 1 to 19 characters. */
  readonly command: string;
  /** Markdown source. 1 to 4000 characters. */
  readonly text: string;
  /** The id of the message in whose thread it was given. 1 to 19 characters. */
  readonly thread?: string | null;
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

/** A notification has come into the user's inbox. */
export interface NewNotification {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly body: string | null;
  readonly link: string | null;
  readonly data: unknown;
  /** low, normal, high or urgent. */
  readonly priority: string;
  /** Who sent it, a user or key:{id}; null: the server. */
  readonly from: string | null;
  readonly collapseKey: string | null;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** The ids of those that it stands in for; they are gone. */
  readonly replaces: readonly string[];
  /** How many are unread, this one among them. */
  readonly unread: number;
}

/** Notifications were read, on one of the user's devices: those with these ids, or all up to an offset of this topic. */
export interface NotificationsRead {
  readonly ids: readonly string[] | null;
  /** The offset of the last one's notification:new. */
  readonly upTo: number | null;
  /** How many are unread. */
  readonly unread: number;
}

/** Notifications have left the user's inbox. */
export interface NotificationsRemoved {
  readonly ids: readonly string[];
  /** removed, by the user, or expired. */
  readonly why: string;
  /** How many are unread. */
  readonly unread: number;
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
  "canvas:change": CanvasChange;
  "canvas:clear": CanvasClear;
  "canvas:note": CanvasNote;
  "canvas:remove": CanvasRemove;
  "canvas:stroke": CanvasStroke;
  "chat:command": ChatCommand;
  "chat:delete": ChatDelete;
  "chat:edit": ChatEdit;
  "chat:message": ChatMessage;
  "chat:pin": ChatPin;
  "chat:reaction": ChatReaction;
  "chat:read": ChatRead;
  "chat:reply": ChatReply;
  "cursor": Cursor;
  "notification:new": NewNotification;
  "notification:read": NotificationsRead;
  "notification:removed": NotificationsRemoved;
  "presence:join": ChangedMembers;
  "presence:leave": LeftMembers;
  "presence:members": PresentMembers;
  "presence:occupancy": Occupancy;
  "presence:update": ChangedMembers;
  "security:signal": SecuritySignal;
  "typing": Typing;
}

// Made by realtime-types from the events that the server has registered: make it again rather than change it.

/** A message in a room. */
export interface ChatMessage {
  /** 1 to 4000 characters. */
  readonly text: string;
}

/** What the payload of each event is. */
export interface RealtimeEvents {
  "chat:message": ChatMessage;
}

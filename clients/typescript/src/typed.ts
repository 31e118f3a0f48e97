// Events by their names, for a client that was given a map of payload types. Only types: nothing of this is there at run time.

import type { TopicEvent } from "./wire.js";

/**
 * A name that the map does not have. Put it into yours to compare with it: `interface MyEvents extends RealtimeEvents { "app:x": unknown }`.
 * Of an enum, because comparing with "chat:message" rules that out, as it would not rule out a string of any kind.
 */
export type OtherName = Other;
declare enum Other { Name = "*" }

/** The payload of an event of this name; unknown where the map does not have it. */
export type PayloadOf<Events extends object, Name extends string> = Name extends keyof Events ? Events[Name] : unknown;

/** Any event: comparing its name tells its payload. */
export type EventOf<Events extends object> = [keyof Events] extends [never]
  ? TopicEvent
  : { readonly [Name in keyof Events & string]: TopicEvent<Events[Name], Name> }[keyof Events & string] | TopicEvent<unknown, OtherName>;

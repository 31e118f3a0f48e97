// What a user wants to be told of, as a value (docs/notifications.md#what-a-user-prefers).

export const channels = ["inbox", "push", "email"] as const;
export type Channel = typeof channels[number];

export interface QuietHours {
  readonly from: string;
  readonly to: string;
  readonly timeZone: string;
}

export interface Preferences {
  readonly kinds: Readonly<Record<string, Readonly<Record<Channel, boolean>>>>;
  readonly quietHours: QuietHours | null;
}

export function choose(preferences: Preferences, kind: string, channel: Channel, on: boolean): Preferences {
  const known = preferences.kinds[kind];
  return known ? { ...preferences, kinds: { ...preferences.kinds, [kind]: { ...known, [channel]: on } } } : preferences;
}

/** Whether it makes a difference: what is not in the inbox is told nowhere. */
export function counts(preferences: Preferences, kind: string, channel: Channel): boolean {
  return channel === "inbox" || preferences.kinds[kind]?.inbox === true;
}

/** Undefined: they are none, and nothing is to be kept. */
export function quietHours(from: string, to: string, timeZone: string): QuietHours | undefined {
  const isTime = (time: string) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time);
  return isTime(from) && isTime(to) && from !== to && timeZone !== "" ? { from, to, timeZone } : undefined;
}

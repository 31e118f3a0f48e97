// How a user is, as the server tells it (docs/protocol.md#presence), in words.

import type { PresenceStatus } from "@realtimeaspire/client";

export interface Found {
  readonly user: string;
  /** What he has chosen; `offline` where he is on no topic. */
  readonly status: PresenceStatus;
  readonly text?: string;
  readonly lastSeen?: string;
}

const names = { online: "Online", away: "Away", dnd: "Do not disturb", offline: "Offline" };
const units = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]] as const;
/** Beyond it a date says more. */
const longAgo = 7 * 86_400_000;

export function statusName(status: PresenceStatus): string {
  return names[status];
}

/** Empty: he is there, or never was. */
export function lastSeen({ lastSeen: seen }: Found, now: number, locale?: string): string {
  if (seen === undefined) return "";
  const at = Date.parse(seen);
  const ago = now - at;
  if (ago > longAgo) return `Last seen ${new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(at)}`;
  const [unit, length] = units.find(([, length]) => ago >= length) ?? [undefined, 1];
  return unit ? `Last seen ${new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-Math.floor(ago / length), unit)}` : "Last seen just now";
}

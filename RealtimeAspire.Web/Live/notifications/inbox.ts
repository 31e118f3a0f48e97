// A user's inbox as a value: what the server has told of it (docs/notifications.md). notificationBell.ts drives and draws it.

import type { TopicEvent } from "@realtimeaspire/client";

export interface Notification {
  readonly id: string;
  readonly offset: number;
  readonly title: string;
  readonly body: string | null;
  readonly link: string | null;
  readonly at: number;
  readonly read: boolean;
}

export interface Inbox {
  /** The newest first. */
  readonly notifications: readonly Notification[];
  /** All there are, also those that are not here. */
  readonly unread: number;
}

export const emptyInbox: Inbox = { notifications: [], unread: 0 };

/** As many as are shown. */
const kept = 50;

export interface Entry {
  readonly id: string;
  readonly offset: number;
  readonly title: string;
  readonly body: string | null;
  readonly link: string | null;
  readonly createdAt: string;
  readonly readAt: string | null;
}

export function openInbox(entries: readonly Entry[], unread: number): Inbox {
  const notifications = entries.map(({ id, offset, title, body, link, createdAt, readAt }) => ({ id, offset, title, body, link, at: Date.parse(createdAt), read: readAt !== null }));
  return { notifications, unread };
}

export function hear(inbox: Inbox, { event, offset, data }: TopicEvent): Inbox {
  const told = (data.payload ?? {}) as Partial<Entry> & { unread?: number; ids?: readonly string[] | null; upTo?: number | null; replaces?: readonly string[] };
  if (offset === undefined || typeof told.unread !== "number") return inbox;
  const { unread } = told;
  switch (event) {
    case "notification:new": {
      const { id = "", title = "", body = null, link = null, createdAt = "" } = told;
      const others = inbox.notifications.filter(other => other.id !== id && !told.replaces?.includes(other.id));
      return { notifications: [{ id, offset, title, body, link, at: Date.parse(createdAt), read: false }, ...others].slice(0, kept), unread };
    }
    case "notification:read": {
      const isRead = (one: Notification) => one.read || (told.ids?.includes(one.id) ?? one.offset <= (told.upTo ?? 0));
      return { notifications: inbox.notifications.map(one => (isRead(one) === one.read ? one : { ...one, read: true })), unread };
    }
    case "notification:removed":
      return { notifications: inbox.notifications.filter(({ id }) => !told.ids?.includes(id)), unread };
    default:
      return inbox;
  }
}

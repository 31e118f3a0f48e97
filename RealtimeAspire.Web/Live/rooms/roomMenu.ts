// What somebody may do with a room as a whole, and with the people in it, as he is one of its moderators or not.

import { ask } from "../dialog.js";
import type { Person } from "./membersPanel.js";
import type { MenuItem } from "../menu.js";
import type { PageClient } from "../pageClient.js";
import type { Message } from "./room.js";
import { roomPath } from "./roomHistory.js";

export interface RoomInfo {
  readonly kind: "public" | "private" | "direct" | "group";
  readonly title: string;
  readonly description: string;
  readonly slowSeconds: number;
  readonly role: string | null;
  readonly unread: number;
}

const day = 86_400;
const lengths = [{ value: "600", label: "10 minutes" }, { value: "3600", label: "An hour" }, { value: `${day}`, label: "A day" }, { value: `${7 * day}`, label: "A week" }];
const slownesses = [
  { value: "0", label: "Off" }, { value: "5", label: "A message every 5 seconds" }, { value: "30", label: "A message every 30 seconds" }, { value: "300", label: "A message every 5 minutes" },
];

export interface RoomMenuEvents {
  date(at: string): Promise<void>;
  pins(): void;
  reports(): void;
  /** Something about the room or its members is different now. */
  changed(): void;
  say(text: string): void;
}

export class RoomMenu {
  readonly #page: PageClient;
  readonly #topic: string;
  readonly #me: string;
  readonly #events: RoomMenuEvents;
  room: RoomInfo | undefined;

  constructor(page: PageClient, topic: string, me: string, events: RoomMenuEvents) {
    this.#page = page;
    this.#topic = topic;
    this.#me = me;
    this.#events = events;
  }

  get isModerator(): boolean {
    return this.room?.role === "owner" || this.room?.role === "admin";
  }

  get items(): readonly MenuItem[] {
    const { room } = this;
    return [
      { name: "date", label: "Jump to a date", act: () => this.#date() },
      { name: "pins", label: "Pinned messages", act: () => this.#events.pins() },
      { name: "link", label: "Copy a link to this room", act: () => this.copy(location.origin + location.pathname) },
      ...(room && room.kind !== "direct" ? [
        { name: "details", label: this.isModerator ? "Edit this room" : "About this room", act: () => this.#details(room) },
        ...(this.isModerator ? [
          { name: "invite", label: "Add somebody", act: () => this.#invite() },
          { name: "reports", label: "Reports", act: () => this.#events.reports() },
        ] : []),
        room.role === null
          ? { name: "join", label: "Join this room", act: () => this.#do(this.#page.ask("PUT", `${this.#path}/membership`), "You are a member of this room now.") }
          : { name: "leave", label: "Leave this room", danger: true, act: () => this.#leave() },
      ] : []),
    ];
  }

  /** What else may be done to a message. */
  of(message: Message): readonly MenuItem[] {
    const { offset, author, text } = message;
    return [
      { name: "link", label: "Copy a link", act: () => this.copy(`${location.origin}${location.pathname}?at=${offset}`) },
      { name: "text", label: "Copy the text", act: () => this.copy(text) },
      ...(author === this.#me ? [] : [
        { name: "report", label: "Report", act: () => this.#report(offset, author) },
        ...(this.isModerator ? this.#moderation(author) : []),
      ]),
    ];
  }

  about({ user, role }: Person, mayBeMuted: boolean): readonly MenuItem[] {
    if (user === this.#me) return [];
    const isIn = role !== null && role !== "banned";
    return [
      ...(this.room?.kind === "direct" ? [] : [{ name: "direct", label: "Write to this person alone", act: () => this.#direct(user) }]),
      ...(this.isModerator ? [
        ...(isIn && this.room?.role === "owner" ? [role === "admin"
          ? { name: "demote", label: "No moderator any more", act: () => this.#role(user, "member") }
          : { name: "promote", label: "Make a moderator", act: () => this.#role(user, "admin") }] : []),
        ...(role === "banned" ? [{ name: "unban", label: "Let in again", act: () => this.#member("DELETE", user, undefined, `${user} may come in again.`) }] : this.#moderation(user, isIn, mayBeMuted)),
      ] : []),
    ];
  }

  copy(text: string): void {
    navigator.clipboard.writeText(text).then(() => this.#events.say("Copied."), () => this.#events.say("The browser does not let this page copy."));
  }

  unmute(user: string): void {
    this.#do(this.#page.ask("DELETE", `${this.#path}/mutes/${encodeURIComponent(user)}`), `${user} may write.`);
  }

  get #path(): string {
    return roomPath(this.#topic);
  }

  #moderation(user: string, isIn = true, mayBeMuted = true): MenuItem[] {
    return [
      { name: "mute", label: "Mute", act: () => this.#mute(user) },
      ...(mayBeMuted ? [{ name: "unmute", label: "Let write again", act: () => this.unmute(user) }] : []),
      ...(isIn && this.room?.kind !== "public" ? [{ name: "kick", label: "Remove from this room", danger: true, act: () => this.#kick(user) }] : []),
      { name: "ban", label: "Ban from this room", danger: true, act: () => this.#ban(user) },
    ];
  }

  #date(): void {
    ask({ title: "Jump to a date", action: "Jump", fields: [{ name: "date", label: "Date", type: "date", required: true, value: today() }], act: ({ date = "" }) => this.#events.date(new Date(`${date}T00:00:00`).toISOString()) });
  }

  #details({ title, description, slowSeconds }: RoomInfo): void {
    if (!this.isModerator) {
      ask({ title, text: description === "" ? "Nobody has said what this room is for." : description, action: "Close", act: () => { /* read */ } });
      return;
    }
    ask({
      title: "Edit this room", action: "Save",
      fields: [
        { name: "title", label: "Title", value: title, required: true, most: 100 },
        { name: "description", label: "What it is for", value: description, type: "area", most: 1_000 },
        { name: "slow", label: "Slow mode", value: `${slowSeconds}`, options: slownesses.some(({ value }) => value === `${slowSeconds}`) ? slownesses : [...slownesses, { value: `${slowSeconds}`, label: `A message every ${slowSeconds} seconds` }] },
      ],
      act: async ({ title: called, description: about, slow }) => {
        await this.#page.ask("PATCH", this.#path, { title: called, description: about, slowSeconds: Number(slow) });
        this.#events.changed();
      },
    });
  }

  #invite(): void {
    ask({ title: "Add somebody", action: "Add", fields: [{ name: "user", label: "Name", required: true, most: 64 }], act: async ({ user = "" }) => {
      await this.#page.ask("PUT", this.#memberPath(user), { role: "member" });
      this.#events.changed();
    } });
  }

  #leave(): void {
    ask({ title: "Leave this room?", text: this.room?.kind === "public" ? "You can join again." : "To come back you need somebody who adds you.", action: "Leave", danger: true, act: async () => {
      await this.#page.ask("DELETE", `${this.#path}/membership`);
      if (this.room?.kind === "public") this.#events.changed();
      else location.assign("/rooms");
    } });
  }

  #report(offset: number, author: string): void {
    ask({ title: `Report this message of ${author}`, text: "The moderators of this room see it.", action: "Report", fields: [{ name: "reason", label: "What is wrong with it", type: "area", required: true, most: 500 }], act: async ({ reason }) => {
      await this.#page.post(`${this.#path}/messages/${offset}/reports`, { reason });
      this.#events.say("Reported. Thank you.");
    } });
  }

  #mute(user: string): void {
    ask({ title: `Mute ${user}`, action: "Mute", fields: [{ name: "seconds", label: "For", value: "600", options: lengths }], act: async ({ seconds }) => {
      await this.#page.ask("PUT", `${this.#path}/mutes/${encodeURIComponent(user)}`, { seconds: Number(seconds) });
      this.#events.say(`${user} is muted.`);
      this.#events.changed();
    } });
  }

  #kick(user: string): void {
    ask({ title: `Remove ${user} from this room?`, action: "Remove", danger: true, act: () => this.#removed("DELETE", user, undefined) });
  }

  #ban(user: string): void {
    ask({ title: `Ban ${user} from this room?`, text: "Whoever is banned neither reads nor writes here.", action: "Ban", danger: true, act: () => this.#removed("PUT", user, { role: "banned" }) });
  }

  async #removed(method: "PUT" | "DELETE", user: string, body: unknown): Promise<void> {
    await this.#page.ask(method, this.#memberPath(user), body);
    this.#events.changed();
  }

  #role(user: string, role: string): void {
    this.#member("PUT", user, { role }, role === "admin" ? `${user} is a moderator now.` : `${user} is no moderator any more.`);
  }

  #member(method: "PUT" | "DELETE", user: string, body: unknown, said: string): void {
    this.#do(this.#page.ask(method, this.#memberPath(user), body), said);
  }

  #direct(user: string): void {
    this.#page.ask<{ name: string }>("PUT", `/rooms/direct/${encodeURIComponent(user)}`).then(
      room => location.assign(`/rooms/${encodeURIComponent(room!.name)}`), (error: Error) => this.#events.say(error.message));
  }

  #do(done: Promise<unknown>, said: string): void {
    done.then(() => {
      this.#events.say(said);
      this.#events.changed();
    }, (error: Error) => this.#events.say(error.message));
  }

  #memberPath(user: string): string {
    return `/topics/${encodeURIComponent(this.#topic)}/members/${encodeURIComponent(user)}`;
  }
}

function today(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

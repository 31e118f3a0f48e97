// Who is in a room and who types, drawn in its header, at the pictures of those who have written, and under the composer.

import { Presence, TypingUsers, type PresenceStatus, type PresentUser, type RealtimeClient, type SubscribeOptions } from "@realtimeaspire/client";
import { part } from "../parts.js";
import { drawDots } from "../people/statusDot.js";
import type { Statuses } from "../people/statuses.js";

/** More are only counted. */
const namedTypists = 2;
const namedPeople = 20;

export class RoomPeople {
  readonly #presence = new Presence();
  readonly #typing: TypingUsers;
  readonly #root: HTMLElement;
  readonly #people: HTMLElement;
  readonly #line: HTMLElement;
  readonly #me: string;
  readonly #statuses: Statuses;
  readonly #here = new Map<string, PresenceStatus>();

  /** @param changed somebody has come or gone */
  constructor(root: HTMLElement, client: RealtimeClient, topic: string, me: string, statuses: Statuses, changed: () => void) {
    this.#root = root;
    this.#people = part(root, "people");
    this.#line = part(root, "typing");
    this.#me = me;
    this.#statuses = statuses;
    this.#typing = new TypingUsers(client, topic, this.#presence);
    this.#typing.onChange(() => this.#drawTyping());
    for (const name of ["joined", "updated"] as const) this.#presence.on(name, ({ user, status }) => this.#saw(user, status));
    this.#presence.on("left", user => this.#saw(user, undefined));
    this.#presence.on("changed", () => {
      this.#drawPeople();
      drawDots(root, user => this.#here.get(user));
      changed();
    });
  }

  /** As far as they are told one by one. */
  get present(): readonly PresentUser[] {
    return this.#presence.users;
  }

  /** Of who is here, as far as they are told one by one. */
  statusOf(user: string): PresenceStatus | undefined {
    return this.#here.get(user);
  }

  /** What has a subscription keep this up. */
  options(options: SubscribeOptions): SubscribeOptions {
    return this.#presence.options({ ...options, onEvent: event => this.#typing.receive(event) ? undefined : options.onEvent?.(event) });
  }

  typed(): void {
    this.#typing.typed();
  }

  stopped(): void {
    this.#typing.stopped();
  }

  /** Who is here is no business of this user's now, until it is told anew. */
  lost(): void {
    this.#people.hidden = true;
    drawDots(this.#root, () => undefined);
  }

  close(): void {
    this.#typing.close();
    this.#statuses.forget();
  }

  #saw(user: string, status: PresenceStatus | undefined): void {
    if (status === undefined) this.#here.delete(user);
    else this.#here.set(user, status);
    this.#statuses.seen(user, status);
  }

  #drawPeople(): void {
    const { users } = this.#presence.occupancy;
    const names = this.#presence.users.slice(0, namedPeople).map(({ user, status }) => `${user === this.#me ? "You" : user}${status === "online" ? "" : ` (${status})`}`);
    this.#people.hidden = users === 0;
    this.#people.textContent = `${users} here`;
    this.#people.ariaLabel = `${users} here: show who`;
    this.#people.title = users > names.length ? [...names, `${users - names.length} more`].join(", ") : names.join(", ");
  }

  #drawTyping(): void {
    const others = this.#typing.users.filter(user => user !== this.#me);
    this.#line.textContent = others.length === 0 ? ""
      : others.length > namedTypists ? `${others.length} people are typing…`
      : `${others.join(" and ")} ${others.length === 1 ? "is" : "are"} typing…`;
  }
}

// Who is in a room and who types, drawn in its header and under the composer.

import { Presence, TypingUsers, type RealtimeClient, type SubscribeOptions } from "@realtimeaspire/client";
import { part } from "./parts.js";

/** More are only counted. */
const namedTypists = 2;
const namedPeople = 20;

export class RoomPeople {
  readonly #presence = new Presence();
  readonly #typing: TypingUsers;
  readonly #people: HTMLElement;
  readonly #line: HTMLElement;
  readonly #me: string;

  constructor(root: HTMLElement, client: RealtimeClient, topic: string, me: string) {
    this.#people = part(root, "people");
    this.#line = part(root, "typing");
    this.#me = me;
    this.#typing = new TypingUsers(client, topic, this.#presence);
    this.#typing.onChange(() => this.#drawTyping());
    this.#presence.on("changed", () => this.#drawPeople());
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

  close(): void {
    this.#typing.close();
  }

  #drawPeople(): void {
    const { users } = this.#presence.occupancy;
    const names = this.#presence.users.slice(0, namedPeople).map(({ user, status }) => `${user === this.#me ? "You" : user}${status === "online" ? "" : ` (${status})`}`);
    this.#people.hidden = users === 0;
    this.#people.textContent = `${users} here`;
    this.#people.title = users > names.length ? [...names, `${users - names.length} more`].join(", ") : names.join(", ");
  }

  #drawTyping(): void {
    const others = this.#typing.users.filter(user => user !== this.#me);
    this.#line.textContent = others.length === 0 ? ""
      : others.length > namedTypists ? `${others.length} people are typing…`
      : `${others.join(" and ")} ${others.length === 1 ? "is" : "are"} typing…`;
  }
}

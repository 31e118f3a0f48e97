// Who is in a room: those who are here first, then its other members; and for its moderators, who may not write in it.

import type { PresentUser } from "@realtimeaspire/client";
import { avatar } from "../avatar.js";
import { note } from "./foundList.js";
import { openMenu } from "../menu.js";
import type { PageClient } from "../pageClient.js";
import { MutesList } from "./mutesList.js";
import { button, element, icon } from "../parts.js";
import { statusDot } from "../people/statusDot.js";
import type { RoomMenu } from "./roomMenu.js";

export interface Member {
  readonly user: string;
  readonly role: string;
}

export interface Person {
  readonly user: string;
  readonly role: string | null;
  readonly status: "online" | "away" | "dnd" | "offline";
  readonly text: string;
}

const order = { online: 0, dnd: 1, away: 2, offline: 3 } as const;
const says = { online: "Here", dnd: "Do not disturb", away: "Away", offline: "Not here" } as const;

/** Those who are here first, each group by name. */
export function peopleOf(members: readonly Member[], present: readonly PresentUser[]): readonly Person[] {
  const roles = new Map(members.map(({ user, role }) => [user, role]));
  const here = present.map(({ user, status, text }) => ({ user, role: roles.get(user) ?? null, status, text: text ?? "" }));
  const away = members.filter(({ user }) => !present.some(one => one.user === user)).map(({ user, role }) => ({ user, role, status: "offline" as const, text: "" }));
  return [...here, ...away].sort((a, b) => order[a.status] - order[b.status] || (a.user < b.user ? -1 : 1));
}

export async function readMembers(page: PageClient, topic: string): Promise<readonly Member[]> {
  return (await page.get<{ members: readonly Member[] }>(`/topics/${encodeURIComponent(topic)}/members?limit=1000`)).members;
}

export class MembersPanel {
  readonly #page: PageClient;
  readonly #topic: string;
  readonly #present: () => readonly PresentUser[];
  readonly #menu: RoomMenu;
  readonly #mutes: MutesList;
  readonly #list = element("ul", "people");
  readonly #said = note("Loading…");
  #members: readonly Member[] = [];
  #isLoaded = false;

  constructor(body: HTMLElement, page: PageClient, topic: string, present: () => readonly PresentUser[], menu: RoomMenu) {
    this.#page = page;
    this.#topic = topic;
    this.#present = present;
    this.#menu = menu;
    this.#list.role = "list";
    this.#mutes = new MutesList(page, topic, user => menu.unmute(user), () => this.draw());
    body.append(this.#mutes.element, this.#said, this.#list);
    void this.refresh();
  }

  async refresh(): Promise<void> {
    // Both are drawn together, so that nothing moves.
    const mutes = this.#menu.isModerator ? this.#mutes.refresh() : undefined;
    try {
      this.#members = await readMembers(this.#page, this.#topic);
    } catch {
      // Then those are shown who are here.
      this.#members = [];
    }
    await mutes;
    this.#isLoaded = true;
    this.draw();
  }

  dispose(): void {
    this.#mutes.dispose();
  }

  draw(): void {
    if (!this.#isLoaded) return;
    const people = peopleOf(this.#members, this.#present());
    this.#said.textContent = people.length === 0 ? "Nobody can be shown here." : `${people.filter(({ status }) => status !== "offline").length} here`;
    // Focus stays with whoever is looked at while others come and go.
    const focused = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>("[data-user]")?.dataset["user"];
    this.#list.replaceChildren(...people.map(person => this.#item(person)));
    if (focused !== undefined) this.#list.querySelector<HTMLElement>(`[data-user="${CSS.escape(focused)}"] button`)?.focus();
  }

  #item(person: Person): HTMLElement {
    const { user, role, status, text } = person;
    const picture = element("span", "person-picture", avatar(user), statusDot(status, "on-picture"));
    const mutedUntil = this.#mutes.until(user);
    const what = [says[status], ...(role && role !== "member" ? [role] : []), ...(mutedUntil === "" ? [] : [`muted until ${mutedUntil}`]), ...(text === "" ? [] : [text])].join(" · ");
    const item = element("li", "person", picture, element("span", "person-name", element("b", "", user), element("small", "", what)));
    item.dataset["user"] = user;
    item.dataset["testid"] = "person";
    const items = this.#menu.about(person, this.#mutes.mayBeMuted(user));
    if (items.length > 0) {
      const more = button("icon-button", "more", `More about ${user}`, icon("more"));
      more.addEventListener("click", () => openMenu(more, `More about ${user}`, items));
      item.append(more);
    }
    return item;
  }
}

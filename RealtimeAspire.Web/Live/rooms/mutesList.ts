// Who may not write in a room for a time, as its moderators see it above the people who are in it. Nobody tells of mutes: they are
// asked for when the panel opens and after what is done here; what is over leaves by itself.

import { avatar } from "../avatar.js";
import { note } from "./foundList.js";
import type { PageClient } from "../pageClient.js";
import { button, element } from "../parts.js";
import { roomPath } from "./roomHistory.js";

const pageSize = 50;
/** As many as the server tells at once. */
const mostAtOnce = 1_000;
/** Milliseconds: for what ends later the panel is not open long enough. */
const farAway = 86_400_000;
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

interface Mute {
  readonly user: string;
  readonly until: string;
  readonly by: string;
}

export class MutesList {
  readonly element = element("section", "mutes");
  readonly #page: PageClient;
  readonly #path: string;
  readonly #unmute: (user: string) => void;
  readonly #changed: () => void;
  readonly #heading = element("h3", "", "Muted");
  readonly #said = note("");
  readonly #list = element("ul", "people");
  readonly #more = button("link", "more-mutes", "Show more who are muted", "Show more");
  #mutes: readonly Mute[] = [];
  #hasMore = false;
  #over: ReturnType<typeof setTimeout> | undefined;

  /** @param changed a mute is over, or more are known */
  constructor(page: PageClient, topic: string, unmute: (user: string) => void, changed: () => void) {
    this.#page = page;
    this.#path = `${roomPath(topic)}/mutes`;
    this.#unmute = unmute;
    this.#changed = changed;
    this.#heading.tabIndex = -1;
    this.#list.role = "list";
    this.element.ariaLabel = "Muted";
    this.element.hidden = true;
    this.element.dataset["testid"] = "mutes";
    this.#more.dataset["testid"] = "more-mutes";
    this.#more.addEventListener("click", () => void this.#next());
    this.element.append(this.#heading, this.#said, this.#list, this.#more);
  }

  /** Until when somebody may not write, in words; empty: he may, as far as it is known. */
  until(user: string): string {
    const mute = this.#mutes.find(one => one.user === user);
    return mute ? moment.format(Date.parse(mute.until)) : "";
  }

  /** True also where it is not known: he may be on a page that is not shown yet. */
  mayBeMuted(user: string): boolean {
    return this.#hasMore || this.#said.textContent !== "" || this.#mutes.some(one => one.user === user);
  }

  async refresh(): Promise<void> {
    // As many pages as are shown, with room for one who was muted meanwhile.
    await this.#read("", Math.min(mostAtOnce, pageSize * Math.ceil((this.#mutes.length + 1) / pageSize)), mutes => { this.#mutes = mutes; });
  }

  dispose(): void {
    clearTimeout(this.#over);
  }

  async #next(): Promise<void> {
    const before = this.#mutes.length;
    await this.#read(this.#mutes.at(-1)?.user ?? "", pageSize, mutes => { this.#mutes = [...this.#mutes, ...mutes]; });
    if (this.#more.hidden) this.#list.querySelectorAll("button")[before]?.focus();
    this.#changed();
  }

  async #read(after: string, limit: number, use: (mutes: readonly Mute[]) => void): Promise<void> {
    try {
      const { mutes } = await this.#page.get<{ mutes: readonly Mute[] }>(`${this.#path}?${new URLSearchParams({ after, limit: `${limit}` })}`);
      use(mutes);
      this.#hasMore = mutes.length === limit;
      this.#said.textContent = "";
    } catch {
      this.#said.textContent = "Who is muted is not known right now.";
    }
    this.#draw();
  }

  #draw(): void {
    const now = Date.now();
    this.#mutes = this.#mutes.filter(({ until }) => Date.parse(until) > now);
    const hadFocus = this.#list.contains(document.activeElement);
    const at = [...this.#list.children].findIndex(one => one.contains(document.activeElement));
    this.#list.replaceChildren(...this.#mutes.map(mute => this.#item(mute)));
    this.#more.hidden = !this.#hasMore;
    this.element.hidden = this.#mutes.length === 0 && this.#said.textContent === "";
    if (hadFocus) (this.#list.querySelectorAll("button")[Math.min(at, this.#mutes.length - 1)] ?? (this.element.hidden ? this.element.closest<HTMLElement>(".side")?.querySelector<HTMLElement>("h2") : this.#heading))?.focus();

    clearTimeout(this.#over);
    const next = Math.min(...this.#mutes.map(({ until }) => Date.parse(until))) - now;
    if (next < farAway) this.#over = setTimeout(() => {
      this.#draw();
      this.#changed();
    }, next);
  }

  #item({ user, until, by }: Mute): HTMLElement {
    const time = element("time", "", moment.format(Date.parse(until)));
    time.dateTime = until;
    const unmute = button("link", "unmute", `Unmute ${user}`, "Unmute");
    unmute.addEventListener("click", () => this.#unmute(user));
    const item = element("li", "person", avatar(user), element("span", "person-name", element("b", "", user), element("small", "", "Until ", time, `, by ${by}`)), unmute);
    item.dataset["testid"] = "mute";
    return item;
  }
}

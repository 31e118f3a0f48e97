// Others on the surface: where they point, what they are just drawing or moving, and who they are.

import { Cursors, Presence, type Cursor, type PresentUser, type RealtimeClient, type SubscribeOptions } from "@realtimeaspire/client";
import { avatar, hueOf } from "../avatar.js";
import { element, part } from "../parts.js";
import { colours, type Colour } from "./drawing.js";
import { mostRaw } from "./line.js";
import type { Line } from "./painter.js";
import { toScreen, type Place, type View } from "./view.js";

/** What somebody is doing where he points; so others see it before it is done. */
export type Doing = { readonly stroke: string; readonly colour: Colour; readonly width: number } | { readonly note: string; readonly x: number; readonly y: number };

/** Milliseconds for which a cursor that does not move is shown. */
const lasts = 20_000;
/** Milliseconds for which a line that is being drawn waits for its event, after the last that was heard of it. */
const waits = 3_000;
/** More are only counted. */
const mostAvatars = 5;
const statuses = { online: "", away: "away", dnd: "do not disturb", offline: "" };

interface Trail extends Line {
  readonly points: number[];
  readonly user: string;
  heard: number;
}

const arrow = "M2 1.5 17.5 9.4l-6.9 2-3.2 6.6Z";

export class Others {
  readonly #cursors: Cursors;
  readonly #presence = new Presence();
  readonly #me: string;
  readonly #layer: HTMLElement;
  readonly #people: HTMLElement;
  readonly #said: HTMLElement;
  readonly #view: () => View;
  readonly #changed: () => void;
  readonly #drawn = new Map<string, HTMLElement>();
  readonly #trails = new Map<string, Trail>();
  #knowsWho = false;
  #frame = 0;
  #movedAt = 0;
  #doing: Doing | undefined;
  #at: Place | undefined;

  constructor(root: HTMLElement, client: RealtimeClient, topic: string, me: string, view: () => View, changed: () => void) {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#cursors = new Cursors(client, topic, { presence: this.#presence, lasts, ...(isStill && { smoothing: 0 }) });
    this.#me = me;
    this.#layer = part(root, "cursors");
    this.#people = part(root, "people");
    this.#said = part(root, "said-people");
    this.#view = view;
    this.#changed = changed;
    this.#cursors.onChange(() => this.#heard());
    this.#presence.on("joined", ({ user }) => this.#tell(user, "is here"));
    this.#presence.on("left", user => this.#tell(user, "has left"));
    this.#presence.on("changed", () => this.#drawPeople());
  }

  /** What has a subscription keep this up. */
  options(options: SubscribeOptions): SubscribeOptions {
    return this.#presence.options({ ...options, onEvent: event => this.#cursors.receive(event) ? undefined : options.onEvent?.(event) });
  }

  point({ x, y }: Place): void {
    this.#at = { x, y };
    this.#cursors.move({ x: Math.round(x), y: Math.round(y), colour: `oklch(0.7 0.15 ${hueOf(this.#me) * 30})`, ...(this.#doing && { selection: this.#doing }) });
  }

  /** What goes along with where the user points, from now on. */
  set doing(doing: Doing | undefined) {
    const isOver = this.#doing !== undefined && doing === undefined;
    this.#doing = doing;
    // A finger and the keyboard point nowhere afterwards: others would hold on to what was said last.
    if (isOver && this.#at) this.point(this.#at);
  }

  /** What others are just drawing, as far as it is heard of. */
  get lines(): readonly Line[] {
    return [...this.#trails.values()];
  }

  /** Where others have the notes that they are moving. */
  get moved(): ReadonlyMap<string, Place> {
    const moved = new Map<string, Place>();
    for (const [user, cursor] of this.#cursors.all) {
      const doing = user === this.#me ? undefined : doingOf(cursor);
      if (doing && "note" in doing) moved.set(doing.note, doing);
    }
    return moved;
  }

  /** These strokes are there: what was heard of them before is over. */
  arrived(ids: Iterable<string>): void {
    for (const id of ids) this.#trails.delete(id);
  }

  /** The surface has moved under the cursors. */
  redraw(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#cursors.close();
  }

  #heard(): void {
    this.#movedAt = performance.now();
    for (const [user, cursor] of this.#cursors.all) {
      if (user !== this.#me) this.#trace(user, cursor);
    }
    this.redraw();
  }

  #trace(user: string, cursor: Cursor): void {
    const doing = doingOf(cursor);
    if (!doing || !("stroke" in doing)) return;
    const trail = this.#trails.get(doing.stroke) ?? { ...doing, user, points: [], heard: this.#movedAt };
    const [x, y] = trail.points.slice(-2);
    this.#trails.set(doing.stroke, trail);
    // What is longer than any stroke may be is none.
    if ((x === cursor.x && y === cursor.y) || trail.points.length >= mostRaw) return;
    trail.points.push(cursor.x, cursor.y);
    trail.heard = this.#movedAt;
  }

  #draw(): void {
    this.#frame = 0;
    const now = performance.now();
    const view = this.#view();
    const cursors = new Map([...this.#cursors.smoothed(now)].filter(([user]) => user !== this.#me));
    for (const [user, drawn] of this.#drawn) {
      if (cursors.has(user)) continue;
      this.#drawn.delete(user);
      drawn.remove();
    }
    for (const [user, cursor] of cursors) {
      const { x, y } = toScreen(view, cursor);
      const drawn = this.#drawn.get(user) ?? this.#create(user);
      drawn.style.transform = `translate(${x}px, ${y}px)`;
    }
    for (const [id, { user, heard }] of this.#trails) {
      if (now - heard > waits || !cursors.has(user)) this.#trails.delete(id);
    }
    this.#changed();
    // Until they have arrived where they were last, and nothing is left that is about to go.
    if (now - this.#movedAt < 200 || this.#trails.size > 0) this.redraw();
  }

  #create(user: string): HTMLElement {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 20 20");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", arrow);
    svg.append(path);
    const drawn = element("div", `cursor hue-${hueOf(user)}`, svg, element("span", "cursor-name", user));
    drawn.dataset["testid"] = "cursor";
    drawn.dataset["user"] = user;
    this.#drawn.set(user, drawn);
    this.#layer.append(drawn);
    return drawn;
  }

  /** Who was there before is shown and not announced. */
  #tell(user: string, what: string): void {
    if (this.#knowsWho && user !== this.#me) this.#said.textContent = `${user} ${what}`;
  }

  #drawPeople(): void {
    this.#knowsWho = true;
    const { users: count } = this.#presence.occupancy;
    const others = this.#presence.users.filter(({ user }) => user !== this.#me);
    const me = this.#presence.users.filter(({ user }) => user === this.#me);
    const named = [...me, ...others].slice(0, mostAvatars);
    const more = count - named.length;
    const rest = element("li", "people-more", `+${more}`);
    rest.ariaLabel = `and ${more} more`;
    const focused = this.#people.querySelector<HTMLElement>("[data-person]:focus")?.dataset["person"];
    this.#people.replaceChildren(...named.map(person => this.#person(person)), ...(more > 0 ? [rest] : []));
    if (focused !== undefined) this.#people.querySelector<HTMLElement>(`[data-person="${CSS.escape(focused)}"]`)?.focus();
    this.#people.dataset["count"] = `${count}`;
  }

  #person({ user, status, text }: PresentUser): HTMLElement {
    const name = user === this.#me ? "You" : user;
    const how = [statuses[status], text ?? ""].filter(part => part !== "").join(": ");
    const label = how === "" ? name : `${name} (${how})`;
    const button = element("button", "person-button", avatar(user), element("span", "visually-hidden", label));
    button.type = "button";
    button.title = label;
    button.dataset["person"] = user;
    const item = element("li", "person", button);
    item.dataset["status"] = status;
    item.dataset["user"] = user;
    return item;
  }
}

/** Untrusted: what another client says of itself. */
function doingOf({ selection }: Cursor): Doing | undefined {
  const said = (selection ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof said["stroke"] === "string" && typeof said["width"] === "number" && said["width"] <= 64) {
    return { stroke: said["stroke"], width: said["width"], colour: colours.find(colour => colour === said["colour"]) ?? "ink" };
  }
  return typeof said["note"] === "string" && typeof said["x"] === "number" && typeof said["y"] === "number" ? { note: said["note"], x: said["x"], y: said["y"] } : undefined;
}

// <notification-preferences>: what the user is told of, and how. Blazor renders the element once and leaves it alone from then on
// (data-permanent). Each choice is kept at once.

import { PageClient } from "../pageClient.js";
import { element, part } from "../parts.js";
import { channels, choose, counts, quietHours, type Channel, type Preferences } from "./preferences.js";
import { pushState, switchOff, switchOn, type PushState } from "./pushDevice.js";

interface Reply extends Preferences {
  readonly channels: readonly string[];
  readonly email: string | null;
}

const kinds: Readonly<Record<string, string>> = {
  mention: "Somebody mentions you", invitation: "Somebody invites you", badge: "You have earned something", system: "News of the server",
};
const channelNames: Readonly<Record<Channel, string>> = { inbox: "in the bell", push: "by push", email: "by e-mail" };

const pushHints: Readonly<Record<PushState, string>> = {
  none: "This server sends no push messages. Whoever runs it can switch that on.",
  impossible: "This browser takes no push messages, or not over this connection: they want https.",
  refused: "You have told this browser not to show notifications of this site. Only its own settings can change that.",
  off: "This device can tell you of what you have not read, also when no page is open. The browser will ask you first whether this site may do so.",
  on: "This device tells you of what you have not read, also when no page is open.",
};

export class NotificationPreferences extends HTMLElement {
  #mounted: AbortController | undefined;
  #page!: PageClient;
  #chosen: Preferences | undefined;
  #offered: readonly string[] = [];
  #keeping: Promise<unknown> = Promise.resolve();
  #push: PushState = "none";

  connectedCallback(): void {
    const user = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, user);
    const zone = part<HTMLSelectElement>(this, "zone");
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    zone.replaceChildren(...[...new Set([here, "UTC", ...Intl.supportedValuesOf("timeZone")])].map(name => new Option(name.replaceAll("_", " "), name)));
    part(this, "kinds").addEventListener("change", ({ target }) => {
      const { dataset: { kind = "", channel }, checked } = target as HTMLInputElement;
      if (this.#chosen) this.#keep(choose(this.#chosen, kind, channel as Channel, checked));
    }, { signal });
    for (const name of ["quiet", "from", "to", "zone"]) part(this, name).addEventListener("change", () => this.#quieten(), { signal });
    part(this, "push").addEventListener("click", () => void this.#switch(), { signal });
    void this.#load();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
  }

  async #load(): Promise<void> {
    try {
      const { kinds, quietHours: quiet, channels: offered, email } = await this.#page.get<Reply>("/inbox/preferences");
      this.#chosen = { kinds, quietHours: quiet };
      this.#offered = offered;
      part(this, "channels").textContent = [
        offered.includes("push") ? "" : "This server sends no push messages.",
        !offered.includes("email") ? "This server sends no e-mail." : email ? `E-mail goes to ${email}.` : "Nobody has told this server your e-mail address.",
      ].join(" ").trim();
      this.#draw();
      this.#drawPush(await pushState(this.#page));
    } catch (error) {
      this.#fail(error);
    }
  }

  #keep(preferences: Preferences): void {
    this.#chosen = preferences;
    this.#draw();
    // One after the other: the last choice counts.
    this.#keeping = this.#keeping.then(async () => {
      try {
        await this.#page.ask("PUT", "/inbox/preferences", preferences);
        part(this, "problem").hidden = true;
        part(this, "said").textContent = "Saved";
      } catch (error) {
        part(this, "said").textContent = "";
        // Not what was chosen counts, but what is kept.
        await this.#load();
        this.#fail(error);
      }
    });
  }

  #quieten(): void {
    if (!this.#chosen) return;
    const [from, to, zone] = ["from", "to", "zone"].map(name => part<HTMLInputElement>(this, name).value) as [string, string, string];
    const hours = quietHours(from, to, zone);
    const isOn = part<HTMLInputElement>(this, "quiet").checked;
    if (isOn && !hours) return this.#fail(new Error("Quiet hours begin and end at different times."));
    this.#keep({ ...this.#chosen, quietHours: isOn ? hours! : null });
  }

  async #switch(): Promise<void> {
    const button = part<HTMLButtonElement>(this, "push");
    button.disabled = true;
    try {
      await (this.#push === "on" ? switchOff(this.#page) : switchOn(this.#page));
      part(this, "problem").hidden = true;
    } catch (error) {
      this.#fail(error, "The browser's push service has not answered.");
    } finally {
      button.disabled = false;
      await pushState(this.#page).then(state => this.#drawPush(state), () => { /* said above */ });
    }
  }

  #draw(): void {
    const chosen = this.#chosen!;
    const { kinds: known, quietHours: quiet } = chosen;
    const table = part(this, "kinds");
    const names = Object.keys(known);
    if (table.children.length !== names.length) table.replaceChildren(...names.map(kind => this.#row(kind)));
    for (const box of table.querySelectorAll<HTMLInputElement>("input")) {
      const { kind = "", channel } = box.dataset;
      const isThere = channel === "inbox" || this.#offered.includes(channel!);
      box.checked = isThere && (known[kind]?.[channel as Channel] ?? false);
      box.disabled = !isThere || !counts(chosen, kind, channel as Channel);
    }
    part<HTMLInputElement>(this, "quiet").checked = quiet !== null;
    const zone = part<HTMLSelectElement>(this, "zone");
    if (quiet && ![...zone.options].some(({ value }) => value === quiet.timeZone)) zone.add(new Option(quiet.timeZone, quiet.timeZone));
    if (quiet) [part<HTMLInputElement>(this, "from").value, part<HTMLInputElement>(this, "to").value, zone.value] = [quiet.from, quiet.to, quiet.timeZone];
    this.dataset["quiet"] = `${quiet !== null}`;
    this.dataset["loaded"] = "true";
  }

  #row(kind: string): HTMLElement {
    const head = element("th", "", kinds[kind] ?? kind);
    head.scope = "row";
    return element("tr", "", head, ...channels.map(channel => {
      const box = element("input");
      box.type = "checkbox";
      box.ariaLabel = `${kinds[kind] ?? kind}: ${channelNames[channel]}`;
      [box.dataset["kind"], box.dataset["channel"]] = [kind, channel];
      return element("td", "", box);
    }));
  }

  #drawPush(state: PushState): void {
    this.#push = state;
    this.dataset["push"] = state;
    part(this, "push-hint").textContent = pushHints[state];
    const button = part<HTMLButtonElement>(this, "push");
    button.hidden = state !== "on" && state !== "off";
    button.textContent = state === "on" ? "Stop telling me on this device" : "Tell me on this device";
  }

  #fail(error: unknown, otherwise = "What you have chosen cannot be read or kept right now."): void {
    const problem = part(this, "problem");
    problem.textContent = error instanceof Error && error.message !== "" && !error.message.startsWith("/") ? error.message : otherwise;
    problem.hidden = false;
  }
}

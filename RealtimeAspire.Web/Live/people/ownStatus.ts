// <own-status>: what the user chooses to be, and whether he is there at all, for as long as the page is open. Blazor renders the element
// once and leaves it alone from then on (data-permanent).

import { setPresence, watchActivity } from "@realtimeaspire/client";
import { PageClient } from "../pageClient.js";
import { part } from "../parts.js";
import { statusName, type Found } from "./found.js";

type Chosen = "online" | "away" | "dnd";

export class OwnStatus extends HTMLElement {
  #mounted: AbortController | undefined;
  #page!: PageClient;
  /** Counts what is asked for, and what is said: an answer that comes after the next is void. */
  #turn = 0;
  /** The form says what has not been saved. */
  #isEdited = false;

  connectedCallback(): void {
    const user = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, user);
    const { client } = this.#page;
    const activity = watchActivity(client);
    signal.addEventListener("abort", () => activity.stop());
    // Of another device it is heard when the page comes back.
    signal.addEventListener("abort", client.onState(({ name }) => { if (name === "connected") void this.#load(user); }));
    const form = part<HTMLFormElement>(this, "form");
    form.addEventListener("submit", event => {
      event.preventDefault();
      void this.#save(form);
    }, { signal });
    form.addEventListener("input", () => { this.#isEdited = true; }, { signal });
    form.addEventListener("beforetoggle", ({ newState }) => {
      if (newState !== "open") return;
      this.#isEdited = false;
      void this.#load(user);
    }, { signal });
    if (client.state.name === "connected") void this.#load(user);
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
  }

  async #load(user: string): Promise<void> {
    const turn = ++this.#turn;
    try {
      const { status, text = "" } = await this.#page.get<Found>(`/users/${encodeURIComponent(user)}/presence`);
      if (turn === this.#turn) this.#show(status === "offline" ? "online" : status, text);
    } catch {
      // It stays as it was last known.
    }
  }

  async #save(form: HTMLFormElement): Promise<void> {
    const said = new FormData(form);
    const [status, text] = [said.get("status") as Chosen, (said.get("text") as string).trim()];
    const problem = part(this, "problem");
    problem.hidden = true;
    try {
      await setPresence(this.#page.client, { status, text });
      this.#turn++;
      this.#isEdited = false;
      this.#show(status, text);
      form.hidePopover();
    } catch (error) {
      problem.textContent = (error as Error).message;
      problem.hidden = false;
    }
  }

  #show(status: Chosen, text: string): void {
    const form = part<HTMLFormElement>(this, "form");
    if (!this.#isEdited) {
      form.querySelector<HTMLInputElement>(`[name=status][value="${status}"]`)!.checked = true;
      form.querySelector<HTMLInputElement>("[name=text]")!.value = text;
    }
    this.dataset["status"] = status;
    const how = text === "" ? statusName(status) : text;
    part(this, "how").textContent = how;
    part(this, "own-button").ariaLabel = `Your status: ${[statusName(status), text].filter(one => one !== "").join(", ")}`;
  }
}

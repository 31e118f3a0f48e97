// <person-status>: how somebody is, as a dot whose place is there from the beginning, and in words for who does not see it. Asked for
// only while it is in sight.

import { PageClient } from "../pageClient.js";
import { element } from "../parts.js";
import { lastSeen, statusName, type Found } from "./found.js";
import { statusDot } from "./statusDot.js";
import { statusesOf } from "./statuses.js";

export class PersonStatus extends HTMLElement {
  static readonly observedAttributes = ["user"];
  #sight: IntersectionObserver | undefined;
  #leave: (() => void) | undefined;

  connectedCallback(): void {
    this.#sight = new IntersectionObserver(entries => this.#watch(entries.at(-1)!.isIntersecting));
    this.#sight.observe(this);
    // What is known already is there at once: Blazor draws the list anew when its circuit has begun.
    this.#known();
  }

  disconnectedCallback(): void {
    this.#sight?.disconnect();
    this.#sight = undefined;
    this.#watch(false);
  }

  attributeChangedCallback(): void {
    if (!this.#sight) return;
    const isSeen = this.#leave !== undefined;
    this.#watch(false);
    this.replaceChildren();
    delete this.dataset["status"];
    this.title = "";
    this.#known();
    this.#watch(isSeen);
  }

  #known(): void {
    const page = PageClient.current;
    const known = page && statusesOf(page).known(this.getAttribute("user") ?? "");
    if (known) this.#show(known);
  }

  #watch(isSeen: boolean): void {
    if (isSeen === (this.#leave !== undefined)) return;
    this.#leave?.();
    const user = this.getAttribute("user");
    const page = PageClient.current;
    this.#leave = isSeen && user && page ? statusesOf(page).watch(user, found => this.#show(found)) : undefined;
  }

  #show(found: Found): void {
    const how = [statusName(found.status), found.status === "offline" ? lastSeen(found, Date.now()) : ""].filter(one => one !== "").join(". ");
    if (this.title === how && this.childElementCount > 0) return;
    this.title = how;
    this.dataset["status"] = found.status;
    this.replaceChildren(statusDot(found.status), element("span", "visually-hidden", how));
  }
}

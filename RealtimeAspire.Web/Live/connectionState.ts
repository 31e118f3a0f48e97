// The connection as the user sees it: a badge in the room's header, and a strip with a way out while it is not there.

import { part } from "./parts.js";

export type ShownState =
  | { readonly state: "connecting" | "live" }
  | { readonly state: "reconnecting"; readonly retryAt?: number; readonly reason?: string }
  | { readonly state: "offline"; readonly reason: "network" | "session" };

interface Words {
  readonly badge: string;
  readonly strip: string;
  readonly action: string;
}

export class ConnectionStateView {
  readonly #badge: HTMLElement;
  readonly #text: HTMLElement;
  readonly #announced: HTMLElement;
  readonly #strip: HTMLElement;
  readonly #stripText: HTMLElement;
  readonly #action: HTMLButtonElement;
  #shown: ShownState = { state: "connecting" };
  #tick: ReturnType<typeof setInterval> | undefined;

  constructor(root: HTMLElement, retryNow: () => void) {
    this.#badge = part(root, "connection-state");
    this.#text = part(root, "connection-text");
    this.#announced = part(root, "connection-announced");
    this.#strip = part(root, "strip");
    this.#stripText = part(root, "strip-text");
    this.#action = part(root, "strip-action");
    this.#action.addEventListener("click", () => {
      if (this.#shown.state === "offline" && this.#shown.reason === "session") location.reload();
      else retryNow();
    });
  }

  show(shown: ShownState): void {
    clearInterval(this.#tick);
    this.#shown = shown;
    this.#badge.dataset["state"] = shown.state;
    this.#draw();
    // The countdown is for the eye; a screen reader hears each change of state once.
    const announcement = shown.state === "live" ? "Connected" : words(shown, undefined).strip;
    if (this.#announced.textContent !== announcement) this.#announced.textContent = announcement;
    if (shown.state === "reconnecting" && shown.retryAt !== undefined) {
      this.#tick = setInterval(() => this.#draw(), 250);
    }
  }

  dispose(): void {
    clearInterval(this.#tick);
  }

  #draw(): void {
    const retryAt = this.#shown.state === "reconnecting" ? this.#shown.retryAt : undefined;
    const seconds = retryAt === undefined ? undefined : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const { badge, strip, action } = words(this.#shown, seconds);
    this.#text.textContent = badge;
    this.#stripText.textContent = strip;
    this.#action.textContent = action;
    this.#strip.hidden = action === "";
  }
}

function words(shown: ShownState, seconds: number | undefined): Words {
  switch (shown.state) {
    case "connecting":
      return { badge: "Connecting", strip: "Connecting", action: "" };
    case "live":
      return { badge: "Live", strip: "", action: "" };
    case "reconnecting":
      return {
        badge: seconds ? `Retry in ${seconds} s` : "Reconnecting",
        strip: shown.reason ?? "Connection lost. What you write is kept and sent when it is back.",
        action: "Retry now",
      };
    case "offline":
      return shown.reason === "session"
        ? { badge: "Signed out", strip: "Your session has ended. What you have written is kept.", action: "Sign in again" }
        : { badge: "Offline", strip: "You are offline. What you write is kept and sent when you are back.", action: "Retry now" };
  }
}

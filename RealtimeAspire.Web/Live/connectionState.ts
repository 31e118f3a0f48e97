// <connection-state>: how a client is connected, as its user sees it: a badge, and while the connection is not there a strip with
// the reason and a way out. It works on any page: give it a client.

import type { ConnectionState, ConnectionStateName, RealtimeClient } from "@realtimeaspire/client";
import { element } from "./parts.js";
import { signedOut } from "./session.js";

export type Watched = Pick<RealtimeClient, "state" | "onState" | "retryNow" | "connect">;

/** The connection is there, and the server does not let the page have what it is about. */
export interface Refused {
  readonly reason: string;
  /** When it is asked again, in milliseconds as of `Date.now()`. */
  readonly retryAt: number;
  retryNow(): void;
}

interface Shown {
  readonly badge: string;
  /** Empty: nothing to say. */
  readonly strip: string;
  readonly action?: string;
  readonly act?: () => void;
}

export class ConnectionStateElement extends HTMLElement {
  readonly #text = element("span", "connection-text");
  readonly #announced = element("span", "visually-hidden");
  readonly #stripText = element("span");
  readonly #action = element("button", "strip-action");
  readonly #strip = element("div", "strip", this.#stripText, this.#action);
  /** Where the focus was before the way out had it. */
  #from: HTMLElement | null = null;
  #client: Watched | undefined;
  #refused: Refused | undefined;
  #leave: (() => void) | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;

  connectedCallback(): void {
    this.#text.ariaHidden = "true";
    this.#announced.role = "status";
    this.#action.type = "button";
    this.#action.onclick = () => this.#now()?.act?.();
    this.#action.onfocus = ({ relatedTarget }) => { this.#from = relatedTarget as HTMLElement | null ?? this.#from; };
    this.#strip.dataset["testid"] = "connection-strip";
    this.#action.dataset["testid"] = "retry-now";
    const dot = element("span", "connection-dot");
    dot.ariaHidden = "true";
    this.replaceChildren(element("span", "connection", dot, this.#text), this.#announced, this.#strip);
    this.#watch();
  }

  disconnectedCallback(): void {
    this.#leave?.();
    clearInterval(this.#tick);
  }

  /** Shows this client's state from now on. */
  set client(client: Watched) {
    this.#client = client;
    this.#watch();
  }

  set refused(refused: Refused | undefined) {
    this.#refused = refused;
    this.#changed();
  }

  #watch(): void {
    this.#leave?.();
    this.#leave = this.#client?.onState(() => this.#changed());
    this.#changed();
  }

  #changed(): void {
    clearInterval(this.#tick);
    const name = this.#name();
    this.dataset["state"] = name;
    this.#draw();
    // The countdown is for the eye; a screen reader hears each change of state once.
    const { badge, strip } = this.#now() ?? waiting;
    const announcement = name === "connected" ? "Connected" : strip || badge;
    if (this.#announced.textContent !== announcement) this.#announced.textContent = announcement;
    if ((this.#refused ?? this.#client?.state)?.retryAt !== undefined) {
      this.#tick = setInterval(() => this.#draw(), 250);
    }
  }

  #draw(): void {
    const { badge, strip, action } = this.#now(this.#secondsLeft()) ?? waiting;
    this.#text.textContent = badge;
    this.#stripText.textContent = strip;
    this.#action.textContent = action ?? "";
    const hadFocus = document.activeElement === this.#action;
    this.#action.hidden = action === undefined;
    this.#strip.hidden = strip === "";
    if (hadFocus && (this.#action.hidden || this.#strip.hidden)) this.#from?.focus({ preventScroll: true });
  }

  #name(): ConnectionStateName {
    const name = this.#client?.state.name ?? "connecting";
    return this.#refused && name === "connected" ? "reconnecting" : name;
  }

  #secondsLeft(): number | undefined {
    const retryAt = this.#refused && this.#client?.state.name === "connected" ? this.#refused.retryAt : this.#client?.state.retryAt;
    return retryAt === undefined ? undefined : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  }

  #now(seconds?: number): Shown | undefined {
    const client = this.#client;
    if (!client) return undefined;
    if (this.#refused && client.state.name === "connected") {
      const { reason, retryNow } = this.#refused;
      return { badge: retryIn(seconds) ?? "Asking again", strip: reason, action: "Retry now", act: retryNow };
    }
    return shownOf(client, client.state, seconds);
  }
}

/** Before there is a client. */
const waiting: Shown = { badge: "Connecting", strip: "" };

function shownOf(client: Watched, { name, reason }: ConnectionState, seconds: number | undefined): Shown {
  switch (name) {
    case "disconnected":
      return { badge: "Not connected", strip: "Not connected. What you write is kept.", action: "Connect", act: () => void client.connect().catch(() => { /* its state says so */ }) };
    case "connecting":
      return waiting;
    case "connected":
      return { badge: "Live", strip: "" };
    case "reconnecting":
    case "suspended": {
      const retry = { action: "Retry now", act: () => client.retryNow() };
      if (!navigator.onLine) return { badge: "Offline", strip: "You are offline. What you write is kept and sent when you are back.", ...retry };
      return name === "reconnecting"
        ? { badge: retryIn(seconds) ?? "Reconnecting", strip: "Connection lost. What you write is kept and sent when it is back.", ...retry }
        : { badge: retryIn(seconds) ?? "Still trying", strip: "Still no connection. What you write is kept and sent when it is back; nothing is missed.", ...retry };
    }
    case "closed":
      return reason?.code === signedOut
        ? { badge: "Signed out", strip: "Your session has ended. What you have written is kept.", action: "Sign in again", act: () => location.reload() }
        : { badge: "Closed", strip: reason?.code === "closed" ? "The connection was closed." : `The server refuses the connection. ${reason?.message ?? ""}`, action: "Reload", act: () => location.reload() };
  }
}

function retryIn(seconds: number | undefined): string | undefined {
  return seconds ? `Retry in ${seconds} s` : undefined;
}

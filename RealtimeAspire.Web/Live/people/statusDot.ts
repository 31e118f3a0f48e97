// How somebody is, as a dot for who sees it. What else says so in words is its place's business.

import type { PresenceStatus } from "@realtimeaspire/client";
import { element } from "../parts.js";

export function statusDot(status: PresenceStatus | undefined, className = ""): HTMLElement {
  const dot = element("span", `status-dot ${className}`.trimEnd());
  dot.ariaHidden = "true";
  set(dot, status);
  return dot;
}

/** The same at a picture; it follows whoever it is of, see {@link drawDots}. */
export function dotOf(user: string, status: PresenceStatus | undefined): HTMLElement {
  const dot = statusDot(status, "on-picture");
  dot.dataset["of"] = user;
  return dot;
}

/** All that are there become as people are now. Nothing else is drawn, and nothing moves. */
export function drawDots(root: HTMLElement, statusOf: (user: string) => PresenceStatus | undefined): void {
  for (const dot of root.querySelectorAll<HTMLElement>(".status-dot[data-of]")) set(dot, statusOf(dot.dataset["of"]!));
}

/** Nothing is known of who is not there. */
function set(dot: HTMLElement, status: PresenceStatus | undefined): void {
  dot.hidden = status === undefined;
  if (status !== undefined) dot.dataset["status"] = status;
}

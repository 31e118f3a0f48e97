// A card with how somebody is: what he has chosen, what he says of it, when he was last there. A press on whatever on the page has
// data-person opens it: a name, an avatar.

import { avatar } from "../avatar.js";
import type { PageClient } from "../pageClient.js";
import { element } from "../parts.js";
import { lastSeen, statusName, type Found } from "./found.js";

export function installPersonCards(pageOf: () => PageClient | undefined): void {
  document.addEventListener("click", ({ target }) => {
    const about = (target as Element).closest<HTMLElement>("[data-person]");
    const page = pageOf();
    if (about && page) void showPerson(about, about.dataset["person"]!, page);
  });
}

/** The focus goes to it, and back to `about` or to the message that that is in. */
export async function showPerson(about: HTMLElement, user: string, page: PageClient): Promise<void> {
  const how = element("p", "person-how", "…");
  how.role = "status";
  const back = about.closest<HTMLElement>("li.message");
  const text = element("p", "person-text");
  const seen = element("p", "person-seen");
  const card = element("section", "person-card", avatar(user), element("h2", "person-name", user), how, text, seen);
  card.popover = "auto";
  card.ariaLabel = user;
  card.tabIndex = -1;
  card.dataset["testid"] = "person-card";
  card.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    card.remove();
    if (document.activeElement === document.body) (back ?? about).focus({ preventScroll: true });
  });
  document.body.append(card);
  card.showPopover();
  place(card, about);
  card.focus();
  try {
    const found = await page.get<Found>(`/users/${encodeURIComponent(user)}/presence`);
    card.dataset["status"] = found.status;
    how.textContent = statusName(found.status);
    text.textContent = found.text ?? "";
    seen.textContent = lastSeen(found, Date.now());
  } catch {
    how.textContent = "How they are is not known right now.";
  }
  place(card, about);
}

/** Beside what it is about, and whole. */
function place(card: HTMLElement, about: HTMLElement): void {
  const { left, bottom, top } = about.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = card;
  const below = bottom + 8 + offsetHeight <= innerHeight;
  card.style.left = `${Math.max(8, Math.min(left, innerWidth - offsetWidth - 8))}px`;
  card.style.top = `${Math.max(8, below ? bottom + 8 : top - 8 - offsetHeight)}px`;
}

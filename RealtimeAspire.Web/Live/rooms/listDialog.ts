// A dialog that reads a list and shows it; what cannot be read now is asked for again.

import { note } from "./foundList.js";
import { button, element } from "../parts.js";

/** What there is to show, and what is said above it. */
export interface Listed {
  readonly items: readonly HTMLElement[];
  readonly said: string;
}

/**
 * @param name tells it from others, in styles and tests
 * @param back where the focus goes when what had it has been drawn again meanwhile
 */
export function showList(name: string, title: string, read: () => Promise<Listed>, back: () => HTMLElement | null): void {
  const heading = element("h2", "", title);
  heading.id = `${name}-heading`;
  const close = button("icon-button", "close", "Close", "×");
  const said = note("Loading…");
  const again = button("link", "again", "", "Try again");
  again.hidden = true;
  const list = element("ol", name);
  list.role = "list";
  const dialog = element("dialog", "list-dialog", element("header", "list-header", heading, close), said, again, list);
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.dataset["testid"] = name;

  const load = async () => {
    said.textContent = "Loading…";
    again.hidden = true;
    try {
      const listed = await read();
      said.textContent = listed.said;
      list.replaceChildren(...listed.items);
    } catch (error) {
      said.textContent = (error as Error).message;
      again.hidden = false;
    }
  };
  close.addEventListener("click", () => dialog.close());
  again.addEventListener("click", () => {
    // It goes away while it is pressed.
    close.focus();
    void load();
  });
  dialog.addEventListener("click", ({ target }) => { if (target === dialog) dialog.close(); });
  // What is pressed in a dialog is not for the page below.
  dialog.addEventListener("keydown", event => event.stopPropagation());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (document.activeElement === document.body) back()?.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  void load();
}

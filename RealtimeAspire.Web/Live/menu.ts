// A menu at the button that opens it: arrow keys go through it, Escape closes it, and the focus goes back to the button.

import { button, element } from "./parts.js";

export interface MenuItem {
  readonly name: string;
  readonly label: string;
  readonly danger?: boolean;
  /** Read out instead of the label. */
  readonly says?: string;
  act(): void;
}

const margin = 8;
let open: HTMLElement | undefined;

/** @param form `grid`: of signs rather than words */
export function openMenu(at: HTMLElement, label: string, items: readonly MenuItem[], form: "list" | "grid" = "list"): void {
  open?.hidePopover();
  const buttons = items.map(({ name, label: text, danger, says }) => {
    const item = button(danger ? "menu-item danger" : "menu-item", name, says ?? "", text);
    item.role = "menuitem";
    item.tabIndex = -1;
    return item;
  });
  const menu = element("div", `menu ${form}`, ...buttons);
  menu.role = "menu";
  menu.ariaLabel = label;
  menu.popover = "auto";
  menu.dataset["testid"] = "menu";
  let chosen: MenuItem | undefined;

  menu.addEventListener("click", ({ target }) => {
    const index = buttons.indexOf((target as Element).closest("button")!);
    if (index < 0) return;
    chosen = items[index];
    menu.hidePopover();
  });
  menu.addEventListener("keydown", event => {
    if (event.key === "Tab") menu.hidePopover();
    if (moveFocus(buttons, event, form === "grid" ? columnsOf(buttons) : 1)) event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("toggle", event => {
    if ((event as ToggleEvent).newState !== "closed") return;
    const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (open === menu) open = undefined;
    at.ariaExpanded = "false";
    if (hadFocus) at.focus({ preventScroll: true });
    chosen?.act();
  });

  at.ariaHasPopup = "menu";
  at.ariaExpanded = "true";
  // Within a dialog, so that it is not behind it.
  (at.closest("dialog") ?? document.body).append(menu);
  menu.showPopover();
  place(menu, at);
  open = menu;
  buttons[0]?.focus({ preventScroll: true });
}

export function moveFocus(items: readonly HTMLElement[], { key }: KeyboardEvent, columns = 1, isRow = false): boolean {
  const at = items.indexOf(document.activeElement as HTMLElement);
  const steps: Record<string, number> = isRow
    ? { ArrowRight: 1, ArrowLeft: -1 }
    : { ArrowDown: columns, ArrowUp: -columns, ...(columns > 1 && { ArrowRight: 1, ArrowLeft: -1 }) };
  const next = key === "Home" ? 0 : key === "End" ? items.length - 1 : steps[key] === undefined ? undefined : (at + steps[key] + items.length) % items.length;
  if (next === undefined) return false;
  items[next]?.focus({ preventScroll: true });
  return true;
}

function columnsOf(buttons: readonly HTMLElement[]): number {
  const top = buttons[0]?.offsetTop;
  return Math.max(1, buttons.filter(one => one.offsetTop === top).length);
}

/** Below the button, or above where there is no room; never beyond the screen. */
function place(menu: HTMLElement, at: HTMLElement): void {
  const anchor = at.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = anchor.bottom + margin / 2;
  const top = below + height + margin <= innerHeight ? below : Math.max(margin, anchor.top - height - margin / 2);
  menu.style.insetBlockStart = `${top}px`;
  menu.style.insetInlineStart = `${Math.max(margin, Math.min(anchor.right - width, innerWidth - width - margin))}px`;
}

// The list under the caret, as a combobox: the focus stays where one writes, arrow keys choose, Enter or Tab takes, Escape leaves it.

import { complete, matching, wantedAt, type Wanted } from "./completion.js";
import { element } from "../parts.js";

export interface Option {
  readonly name: string;
  readonly detail?: string;
}

export class CompletionList {
  readonly #input: HTMLTextAreaElement;
  readonly #list: HTMLElement;
  readonly #options: (kind: Wanted["kind"]) => readonly Option[];
  #wanted: Wanted | undefined;
  #shown: readonly Option[] = [];
  #at = 0;
  /** Left with Escape: not offered again until another sign is written. */
  #left: number | undefined;

  constructor(input: HTMLTextAreaElement, list: HTMLElement, options: (kind: Wanted["kind"]) => readonly Option[]) {
    this.#input = input;
    this.#list = list;
    this.#options = options;
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    list.role = "listbox";
    // Choosing with a pointer must not take the focus.
    list.addEventListener("pointerdown", event => event.preventDefault());
    list.addEventListener("click", ({ target }) => {
      const item = (target as Element).closest<HTMLElement>("[role=option]");
      if (item) this.#take(Number(item.dataset["index"]));
    });
    input.addEventListener("blur", () => this.close());
    input.addEventListener("click", () => this.update());
  }

  /** The text or the caret has changed. */
  update(): void {
    const { value, selectionStart, selectionEnd } = this.#input;
    const wanted = selectionStart === selectionEnd ? wantedAt(value, selectionStart) : undefined;
    if (wanted?.from !== this.#left) this.#left = undefined;
    if (!wanted || this.#left !== undefined) return this.close();
    this.#wanted = wanted;
    this.#shown = matching(wanted.query, this.#options(wanted.kind), ({ name }) => name);
    // It is all written: Enter sends.
    if (this.#shown.length === 1 && this.#shown[0]!.name === wanted.query) return this.close();
    this.#at = 0;
    this.#draw();
  }

  close(): void {
    this.#wanted = undefined;
    this.#shown = [];
    this.#draw();
  }

  /** True: the key was for the list. */
  pressed({ key, isComposing }: KeyboardEvent): boolean {
    if (this.#shown.length === 0 || isComposing) return false;
    switch (key) {
      case "ArrowDown": this.#at = (this.#at + 1) % this.#shown.length; break;
      case "ArrowUp": this.#at = (this.#at + this.#shown.length - 1) % this.#shown.length; break;
      case "Enter": case "Tab": this.#take(this.#at); return true;
      case "Escape": this.#left = this.#wanted?.from; this.close(); return true;
      default: return false;
    }
    this.#draw();
    return true;
  }

  #take(index: number): void {
    const { name } = this.#shown[index]!;
    const { text, caret } = complete(this.#input.value, this.#input.selectionStart, this.#wanted!, name);
    this.close();
    this.#input.value = text;
    this.#input.setSelectionRange(caret, caret);
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #draw(): void {
    const isOpen = this.#shown.length > 0;
    this.#list.hidden = !isOpen;
    this.#input.role = isOpen ? "combobox" : null;
    this.#input.ariaExpanded = isOpen ? "true" : null;
    this.#list.replaceChildren(...this.#shown.map(({ name, detail }, index) => {
      const item = element("li", "completion", element("b", "", name), ...(detail ? [element("span", "", detail)] : []));
      item.role = "option";
      item.id = `${this.#list.id}-${index}`;
      item.ariaSelected = `${index === this.#at}`;
      item.dataset["index"] = `${index}`;
      item.dataset["testid"] = "completion";
      return item;
    }));
    if (isOpen) this.#input.setAttribute("aria-activedescendant", `${this.#list.id}-${this.#at}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }
}

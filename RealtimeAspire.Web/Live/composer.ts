// Where a message is written. Enter sends, Shift+Enter starts a line; the focus stays.

import { part } from "./parts.js";

const nearLimit = 0.9;

export interface ComposerEvents {
  send(text: string): void;
  changed(text: string): void;
}

export class Composer {
  readonly #input: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #left: HTMLElement;
  readonly #events: ComposerEvents;

  constructor(root: HTMLElement, text: string, events: ComposerEvents) {
    const form = part<HTMLFormElement>(root, "composer");
    this.#input = part(root, "input");
    this.#send = part(root, "send");
    this.#left = part(root, "left");
    this.#events = events;

    // What was typed before this script ran stays.
    this.#input.value ||= text;
    this.#changed();

    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", event => {
      // While a word is being composed (Japanese, Chinese), Enter ends the word.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    form.addEventListener("submit", event => {
      event.preventDefault();
      this.#submit();
    });
    // Pressing the button must not take the focus, or a phone's keyboard would close.
    this.#send.addEventListener("pointerdown", event => event.preventDefault());
  }

  /** On a touch screen the keyboard would cover the conversation. */
  focusIfKeyboard(): void {
    if (matchMedia("(pointer: fine)").matches) this.#input.focus({ preventScroll: true });
  }

  #submit(): void {
    const text = this.#input.value.trim();
    if (text === "") return;
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
    this.#events.send(text);
  }

  #changed(): void {
    const { value, maxLength } = this.#input;
    this.#send.disabled = value.trim() === "";
    this.#left.textContent = value.length >= maxLength * nearLimit ? `${maxLength - value.length} left` : "";
    this.#events.changed(value);
    if (!CSS.supports("field-sizing", "content")) {
      this.#input.style.height = "auto";
      this.#input.style.height = `${this.#input.scrollHeight}px`;
    }
  }
}

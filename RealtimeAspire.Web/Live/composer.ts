// Where a message is written, or written anew. Enter sends, Shift+Enter starts a line, Escape leaves a message as it was; the focus stays.

import { part } from "./parts.js";

const nearLimit = 0.9;

export interface ComposerEvents {
  send(text: string): void;
  /** The message of this offset is to say this. */
  edit(offset: number, text: string): void;
  changed(text: string): void;
  /** A key was pressed that changed the text. */
  typed(): void;
}

export class Composer {
  readonly #input: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #left: HTMLElement;
  readonly #editing: HTMLElement;
  /** What is written anew, and what had been typed before. */
  #edited: { readonly offset: number; readonly before: string } | undefined;
  readonly #events: ComposerEvents;

  constructor(root: HTMLElement, text: string, events: ComposerEvents) {
    const form = part<HTMLFormElement>(root, "composer");
    this.#input = part(root, "input");
    this.#send = part(root, "send");
    this.#left = part(root, "left");
    this.#editing = part(root, "editing");
    part(root, "stop-editing").addEventListener("click", () => this.#stop());
    this.#events = events;

    // What was typed before this script ran stays.
    this.#input.value ||= text;
    this.#changed();

    this.#input.addEventListener("input", () => {
      this.#changed();
      if (this.#input.value !== "") this.#events.typed();
    });
    this.#input.addEventListener("keydown", event => {
      if (event.key === "Escape" && this.#edited) this.#stop();
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

  /** From now on it is about a message that is there. */
  edit(offset: number, text: string): void {
    this.#edited = { offset, before: this.#edited?.before ?? this.#input.value };
    this.#editing.hidden = false;
    this.#input.value = text;
    this.#changed();
    this.#input.focus();
  }

  #stop(): void {
    this.#input.value = this.#edited?.before ?? "";
    this.#edited = undefined;
    this.#editing.hidden = true;
    this.#changed();
    this.#input.focus();
  }

  #submit(): void {
    const text = this.#input.value.trim();
    if (text === "") return;
    if (this.#edited) {
      const { offset } = this.#edited;
      this.#stop();
      this.#events.edit(offset, text);
      return;
    }
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
    this.#events.send(text);
  }

  #changed(): void {
    const { value, maxLength } = this.#input;
    this.#send.disabled = value.trim() === "";
    this.#left.textContent = value.length >= maxLength * nearLimit ? `${maxLength - value.length} left` : "";
    // What is kept over a reload is what is new.
    this.#events.changed(this.#edited?.before ?? value);
    if (!CSS.supports("field-sizing", "content")) {
      this.#input.style.height = "auto";
      this.#input.style.height = `${this.#input.scrollHeight}px`;
    }
  }
}

// Where a message is written, or written anew, or answered. Enter sends, Shift+Enter starts a line, Escape leaves what it is about; the
// focus stays.

import { textOf, type FileInfo } from "./body.js";
import { mentionsIn } from "./completion.js";
import { CompletionList, type Option } from "./completionList.js";
import type { PageClient } from "../pageClient.js";
import { part } from "../parts.js";
import { Uploads } from "./uploads.js";

const nearLimit = 0.9;

export interface Written {
  readonly text: string;
  readonly replyTo: number | null;
  readonly mentions: readonly string[];
  readonly files: readonly FileInfo[];
}

export interface ComposerEvents {
  send(written: Written): void;
  /** The message of this offset is to say this. */
  edit(offset: number, text: string, mentions: readonly string[]): void;
  changed(text: string): void;
  /** A key was pressed that changed the text. */
  typed(): void;
  /** Wants to write the last own message anew. */
  editLast(): void;
  /** Names that can be mentioned, the likeliest first. */
  people(): readonly string[];
  commands(): readonly Option[];
}

export class Composer {
  readonly #input: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #left: HTMLElement;
  readonly #editing: HTMLElement;
  readonly #replying: HTMLElement;
  readonly #replyText: HTMLElement;
  readonly #completion: CompletionList;
  readonly #uploads: Uploads;
  /** What is written anew, and what had been typed before. */
  #edited: { readonly offset: number; readonly before: string } | undefined;
  #answered: number | null = null;
  readonly #events: ComposerEvents;

  constructor(root: HTMLElement, page: PageClient, uploadPath: string, text: string, events: ComposerEvents) {
    const form = part<HTMLFormElement>(root, "composer");
    this.#input = part(root, "input");
    this.#send = part(root, "send");
    this.#left = part(root, "left");
    this.#editing = part(root, "editing");
    this.#replying = part(root, "replying");
    this.#replyText = part(root, "reply-text");
    part(root, "stop-editing").addEventListener("click", () => this.#stop());
    part(root, "stop-replying").addEventListener("click", () => this.#stop());
    this.#events = events;
    this.#completion = new CompletionList(this.#input, part(root, "completions"),
      kind => (kind === "mention" ? events.people().map(name => ({ name })) : events.commands()));
    this.#uploads = new Uploads(root, page, uploadPath, () => this.#changed());

    // What was typed before this script ran stays.
    this.#input.value ||= text;
    this.#changed();

    this.#input.addEventListener("input", () => {
      this.#changed();
      this.#completion.update();
      if (this.#input.value !== "") this.#events.typed();
    });
    this.#input.addEventListener("keydown", event => this.#pressed(event));
    form.addEventListener("submit", event => {
      event.preventDefault();
      this.#submit();
    });
    // Pressing the button must not take the focus, or a phone's keyboard would close.
    this.#send.addEventListener("pointerdown", event => event.preventDefault());
  }

  /** There is more to choose from than before. */
  offer(): void {
    if (document.activeElement === this.#input) this.#completion.update();
  }

  /** On a touch screen the keyboard would cover the conversation. */
  focusIfKeyboard(): void {
    if (matchMedia("(pointer: fine)").matches) this.focus();
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  /** From now on it is about a message that is there. */
  edit(offset: number, text: string): void {
    this.#edited = { offset, before: this.#edited?.before ?? this.#input.value };
    this.#answer(null, "");
    this.#editing.hidden = false;
    this.#input.value = text;
    this.#changed();
    this.#input.focus();
  }

  /** What could not be done is there to be sent again, unless something else has been written meanwhile. */
  restore(text: string): void {
    if (this.#input.value !== "" || this.#edited) return;
    this.#input.value = text;
    this.#changed();
  }

  reply(offset: number, to: string): void {
    if (this.#edited) this.#stop();
    this.#answer(offset, to);
    this.#input.focus();
  }

  #answer(offset: number | null, to: string): void {
    this.#answered = offset;
    this.#replyText.textContent = to;
    this.#replying.hidden = offset === null;
  }

  #stop(): void {
    if (this.#edited) this.#input.value = this.#edited.before;
    this.#edited = undefined;
    this.#editing.hidden = true;
    this.#answer(null, "");
    this.#changed();
    this.#input.focus();
  }

  #pressed(event: KeyboardEvent): void {
    const { key, shiftKey, isComposing, keyCode } = event;
    if (this.#completion.pressed(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (key === "Escape" && (this.#edited || this.#answered !== null)) {
      event.stopPropagation();
      this.#stop();
    } else if (key === "ArrowUp" && this.#input.value === "" && !this.#edited) {
      event.preventDefault();
      this.#events.editLast();
      // While a word is being composed (Japanese, Chinese), Enter ends the word.
    } else if (key === "Enter" && !shiftKey && !isComposing && keyCode !== 229) {
      event.preventDefault();
      this.#submit();
    }
  }

  #submit(): void {
    const { files } = this.#uploads;
    const text = textOf(this.#input.value.trim(), files);
    if (text === "" || this.#uploads.isPending) return;
    const mentions = mentionsIn(text, this.#events.people());
    if (this.#edited) {
      const { offset } = this.#edited;
      this.#stop();
      this.#events.edit(offset, text, mentions);
      return;
    }
    const replyTo = this.#answered;
    this.#input.value = "";
    this.#answer(null, "");
    this.#uploads.clear();
    this.#completion.close();
    this.#input.focus();
    this.#events.send({ text, replyTo, mentions, files });
  }

  #changed(): void {
    const { value, maxLength } = this.#input;
    this.#send.disabled = this.#uploads.isPending || (value.trim() === "" && this.#uploads.files.length === 0);
    this.#left.textContent = value.length >= maxLength * nearLimit ? `${maxLength - value.length} left` : "";
    // What is kept over a reload is what is new.
    this.#events.changed(this.#edited?.before ?? value);
    if (!CSS.supports("field-sizing", "content")) {
      this.#input.style.height = "auto";
      this.#input.style.height = `${this.#input.scrollHeight}px`;
    }
  }
}

// Notes: on the surface, to be moved, written and taken away with the pointer or the keyboard; and all of them as a list of texts.

import { element, part } from "../parts.js";
import { maxText, type Drawing, type Note } from "./drawing.js";
import { tenths } from "./line.js";
import { noteSize, toScreen, type Place, type View } from "./view.js";

export interface NoteDeeds {
  view(): View;
  /** Of a note that was not there before, too. */
  write(id: string, text: string): void;
  move(id: string, place: Place): void;
  remove(id: string): void;
  /** A note is being moved, and is there now; or none is any more. */
  selected(id: string | undefined, place?: Place): void;
  /** Nothing was written in a new note. */
  dropped(id: string): void;
}

/** Of the surface, with an arrow key; with Shift four times as far. */
const step = 10;
/** Milliseconds after the last key until a note is where it was moved to. */
const settles = 500;
/** Milliseconds within which a second tap means to write. */
const doubleTap = 350;

interface Moving {
  readonly id: string;
  readonly place: Place;
}

export class Notes {
  readonly #surface: HTMLElement;
  readonly #layer: HTMLElement;
  readonly #list: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #deeds: NoteDeeds;
  readonly #me: string;
  readonly #elements = new Map<string, HTMLElement>();
  #notes: readonly Note[] = [];
  #writing: { readonly id: string; readonly isNew: boolean; readonly field: HTMLTextAreaElement } | undefined;
  #moving: Moving | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #tapped = { id: "", at: 0 };

  constructor(root: HTMLElement, me: string, deeds: NoteDeeds) {
    this.#surface = part(root, "surface");
    this.#layer = part(root, "notes");
    this.#list = part(root, "note-list");
    this.#empty = part(root, "note-list-empty");
    this.#me = me;
    this.#deeds = deeds;
    this.#list.addEventListener("click", ({ target }) => {
      const id = (target as Element).closest<HTMLElement>("[data-note]")?.dataset["note"];
      if (id !== undefined) this.show(id);
    });
  }

  /** `elsewhere`: where others have notes that they are moving. `draft` is a new one without a text. */
  draw(drawing: Drawing, draft: Note | undefined, elsewhere: ReadonlyMap<string, Place>): void {
    const view = this.#deeds.view();
    const notes = [...drawing.values()].filter(item => item.kind === "note");
    const shown = draft ? [...notes, draft] : notes;
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, drawn] of this.#elements) {
      if (ids.has(id)) continue;
      this.#elements.delete(id);
      if (this.#writing?.id === id) this.#writing = undefined;
      if (this.#moving?.id === id) this.#stopMoving();
      const hadFocus = drawn.contains(document.activeElement);
      drawn.remove();
      if (hadFocus) this.#surface.focus({ preventScroll: true });
    }
    for (const note of shown) this.#place(note, view, this.#moving?.id === note.id ? this.#moving.place : elsewhere.get(note.id));
    this.#drawList(notes);
    this.#notes = notes;
  }

  /** Brings the keyboard to a note. */
  show(id: string): void {
    this.#elements.get(id)?.focus();
  }

  /** A new note waits for its text. */
  write(id: string, isNew = false): void {
    const drawn = this.#elements.get(id);
    if (!drawn || this.#writing?.id === id) return;
    const text = part(drawn, "text");
    const field = element("textarea", "note-field");
    field.value = text.textContent;
    field.maxLength = maxText;
    field.ariaLabel = "Text of the note";
    field.dataset["testid"] = "note-field";
    field.addEventListener("keydown", event => {
      event.stopPropagation();
      if (event.key === "Escape") this.#finish(false);
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), this.#finish(true);
    });
    field.addEventListener("blur", () => this.#finish(true));
    this.#writing = { id, isNew, field };
    text.hidden = true;
    text.after(field);
    field.focus();
    field.select();
  }

  #finish(counts: boolean): void {
    const writing = this.#writing;
    if (!writing) return;
    this.#writing = undefined;
    const drawn = this.#elements.get(writing.id);
    const hadFocus = document.activeElement === writing.field;
    const text = writing.field.value.trim();
    const before = this.#notes.find(({ id }) => id === writing.id)?.text ?? "";
    writing.field.remove();
    if (drawn) part(drawn, "text").hidden = false;
    if (counts && text !== "" && text !== before) this.#deeds.write(writing.id, text);
    else if (writing.isNew) this.#deeds.dropped(writing.id);
    if (hadFocus) this.#elements.get(writing.id)?.focus();
  }

  #place(note: Note, view: View, elsewhere: Place | undefined): void {
    const drawn = this.#elements.get(note.id) ?? this.#create(note.id);
    const { x, y } = toScreen(view, elsewhere ?? note);
    drawn.style.transform = `translate(${x}px, ${y}px) scale(${view.scale})`;
    drawn.dataset["colour"] = note.colour;
    drawn.dataset["moving"] = `${elsewhere !== undefined}`;
    const label = note.text === "" ? "A new note" : `Note by ${note.author === this.#me ? "you" : note.author}: ${note.text}`;
    if (drawn.ariaLabel === label) return;
    drawn.ariaLabel = label;
    part(drawn, "text").textContent = note.text;
    part(drawn, "author").textContent = note.author === this.#me ? "You" : note.author;
  }

  #create(id: string): HTMLElement {
    const text = element("p", "note-text");
    text.dataset["part"] = "text";
    const author = element("span", "note-author");
    author.dataset["part"] = "author";
    const drawn = element("div", "note", text, author);
    drawn.tabIndex = 0;
    drawn.role = "group";
    drawn.ariaRoleDescription = "note";
    drawn.setAttribute("aria-describedby", "note-keys");
    drawn.dataset["testid"] = "note";
    drawn.style.width = `${noteSize.width}px`;
    drawn.style.minHeight = `${noteSize.height}px`;
    drawn.addEventListener("keydown", event => this.#key(id, event));
    drawn.addEventListener("blur", () => this.#settle());
    drawn.addEventListener("dblclick", () => this.write(id));
    drawn.addEventListener("pointerdown", event => this.#grab(id, drawn, event));
    this.#elements.set(id, drawn);
    this.#layer.append(drawn);
    return drawn;
  }

  #key(id: string, event: KeyboardEvent): void {
    const far = event.shiftKey ? 4 * step : step;
    const way = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    const note = this.#notes.find(one => one.id === id);
    if (!note || event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) {
      const from = this.#moving?.id === id ? this.#moving.place : note;
      this.#moveTo(id, { x: from.x + way[0]!, y: from.y + way[1]! });
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => this.#settle(), settles);
    } else if (event.key === "Enter" || event.key === "F2") {
      this.#settle();
      this.write(id);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.#deeds.remove(id);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #grab(id: string, drawn: HTMLElement, event: PointerEvent): void {
    const note = this.#notes.find(one => one.id === id);
    if (!note || event.button !== 0 || this.#writing?.id === id) return;
    const hand = new AbortController();
    const { signal } = hand;
    const from = { x: event.clientX, y: event.clientY };
    let hasMoved = false;
    drawn.setPointerCapture(event.pointerId);
    drawn.addEventListener("pointermove", ({ clientX, clientY }) => {
      hasMoved ||= Math.hypot(clientX - from.x, clientY - from.y) > 4;
      const { scale } = this.#deeds.view();
      if (hasMoved) this.#moveTo(id, { x: note.x + (clientX - from.x) / scale, y: note.y + (clientY - from.y) / scale });
    }, { signal });
    const leave = ({ type }: Event) => {
      hand.abort();
      if (hasMoved && type === "pointerup") this.#settle();
      else if (hasMoved) this.#stopMoving();
      else this.#tap(id, event.timeStamp);
    };
    drawn.addEventListener("pointerup", leave, { signal });
    drawn.addEventListener("pointercancel", leave, { signal });
  }

  /** With a finger there is no double click. */
  #tap(id: string, at: number): void {
    if (this.#tapped.id === id && at - this.#tapped.at < doubleTap) this.write(id);
    this.#tapped = { id, at };
  }

  #moveTo(id: string, { x, y }: Place): void {
    this.#moving = { id, place: { x: tenths(x), y: tenths(y) } };
    this.#deeds.selected(id, this.#moving.place);
  }

  #settle(): void {
    // It is there before nobody moves it any more, or it would jump back for a moment.
    if (this.#moving) this.#deeds.move(this.#moving.id, this.#moving.place);
    this.#stopMoving();
  }

  #stopMoving(): void {
    clearTimeout(this.#settling);
    if (!this.#moving) return;
    this.#moving = undefined;
    this.#deeds.selected(undefined);
  }

  #drawList(notes: readonly Note[]): void {
    const isSame = notes.length === this.#notes.length && notes.every((note, i) => note === this.#notes[i]);
    if (isSame) return;
    this.#empty.hidden = notes.length > 0;
    // Focus stays with the note that is looked at while others are moved and written.
    const focused = this.#list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["note"] : undefined;
    this.#list.replaceChildren(...notes.map(({ id, text, author, colour }) => {
      const button = element("button", "note-entry", element("span", "note-entry-text", text), element("span", "note-entry-author", author === this.#me ? "You" : author));
      button.type = "button";
      button.dataset["note"] = id;
      button.dataset["colour"] = colour;
      return element("li", "", button);
    }));
    if (focused !== undefined) this.#list.querySelector<HTMLElement>(`[data-note="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

// What the surface is worked on with: tool, colour and width, undo, clear, zoom, the list of notes.

import { part } from "../parts.js";
import { colours, type Colour } from "./drawing.js";
import type { Tool } from "./gestures.js";

export interface ToolDeeds {
  note(): void;
  undo(): void;
  redo(): void;
  clear(): void;
  /** 0: shows everything. */
  zoom(by: number): void;
}

const key = "together.pen";

export class Toolbar {
  readonly #root: HTMLElement;
  tool: Tool = "pen";
  colour: Colour = "ink";
  width = 4;

  constructor(root: HTMLElement, deeds: ToolDeeds, signal: AbortSignal) {
    this.#root = root;
    const kept = (sessionStorage.getItem(key) ?? "").split(" ");
    this.colour = colours.find(colour => colour === kept[0]) ?? "ink";
    this.width = Number(kept[1]) || 4;
    root.addEventListener("click", ({ target }) => {
      const button = (target as Element).closest<HTMLElement>("[data-tool], [data-ink], [data-width], [data-do]");
      const { tool, ink, width, do: act } = button?.dataset ?? {};
      if (tool) this.tool = tool as Tool;
      if (ink) this.colour = ink as Colour;
      if (width) this.width = Number(width);
      if (ink || width) this.tool = "pen";
      if (act === "note") deeds.note();
      if (act === "undo") deeds.undo();
      if (act === "redo") deeds.redo();
      if (act === "clear") deeds.clear();
      if (act === "in") deeds.zoom(1.25);
      if (act === "out") deeds.zoom(0.8);
      if (act === "fit") deeds.zoom(0);
      if (tool || ink || width) this.#draw();
    }, { signal });
    this.#draw();
  }

  enable({ undo, redo, clear }: { readonly undo: boolean; readonly redo: boolean; readonly clear: boolean }): void {
    part<HTMLButtonElement>(this.#root, "undo").disabled = !undo;
    part<HTMLButtonElement>(this.#root, "redo").disabled = !redo;
    part<HTMLButtonElement>(this.#root, "clear").disabled = !clear;
  }

  /** As the theme has it now. */
  inkOf(colour: Colour): string {
    return getComputedStyle(this.#root.querySelector(`[data-ink="${colour}"]`)!).color;
  }

  #draw(): void {
    sessionStorage.setItem(key, `${this.colour} ${this.width}`);
    const press = (name: string, value: string | number) => {
      for (const button of this.#root.querySelectorAll<HTMLElement>(`[data-${name}]`)) button.ariaPressed = `${button.dataset[name] === `${value}`}`;
    };
    press("tool", this.tool);
    press("ink", this.colour);
    press("width", this.width);
    this.#root.dataset["using"] = this.tool;
  }
}

// What fingers, pens, mice and wheels do on the surface. One finger draws and two move the surface; once a pen has been seen, fingers
// only move it: the hand that holds the pen draws nothing.

import { pan, toSurface, zoom, type Place, type View } from "./view.js";

export type Tool = "pen" | "hand";

export interface Gestured {
  tool(): Tool;
  view(): View;
  look(view: View): void;
  /** Somebody points there, on the surface. */
  point(place: Place): void;
  begin(place: Place): void;
  go(places: readonly Place[]): void;
  /** False: it was none, forget it. */
  end(counts: boolean): void;
  place(place: Place): void;
}

export class Gestures {
  readonly #surface: HTMLElement;
  readonly #told: Gestured;
  readonly #fingers = new Map<number, Place>();
  #drawing: number | undefined;
  #hasPen = false;

  constructor(surface: HTMLElement, told: Gestured, signal: AbortSignal) {
    this.#surface = surface;
    this.#told = told;
    const listen = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void, passive = true) =>
      surface.addEventListener(name, act, { signal, passive });
    listen("pointerdown", event => this.#down(event), false);
    listen("pointermove", event => this.#move(event));
    listen("pointerup", event => this.#up(event, true));
    listen("pointercancel", event => this.#up(event, false));
    listen("wheel", event => this.#wheel(event), false);
    listen("dblclick", event => { if (event.target === surface && told.tool() === "hand") told.place(toSurface(told.view(), this.#at(event))); });
  }

  #down(event: PointerEvent): void {
    // Notes are looked after by themselves.
    if (event.target !== this.#surface || event.button > 1) return;
    if (event.button === 1) event.preventDefault();
    this.#hasPen ||= event.pointerType === "pen";
    this.#surface.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, this.#at(event));
    if (this.#fingers.size > 1) {
      this.#stop(false);
    } else if (this.#told.tool() === "pen" && event.button === 0 && (event.pointerType !== "touch" || !this.#hasPen)) {
      this.#drawing = event.pointerId;
      this.#told.begin(toSurface(this.#told.view(), this.#at(event)));
    }
  }

  #move(event: PointerEvent): void {
    const at = this.#at(event);
    const before = this.#fingers.get(event.pointerId);
    if (this.#drawing === event.pointerId) {
      const view = this.#told.view();
      const between = event.getCoalescedEvents().map(one => toSurface(view, this.#at(one)));
      this.#told.go(between.length > 0 ? between : [toSurface(view, at)]);
    } else if (before && this.#fingers.size === 1) {
      this.#told.look(pan(this.#told.view(), at.x - before.x, at.y - before.y));
    } else if (before) {
      this.#pinch(event.pointerId, before, at);
    }
    if (before) this.#fingers.set(event.pointerId, at);
    this.#told.point(toSurface(this.#told.view(), at));
  }

  /** With two fingers: the surface stays under both. */
  #pinch(id: number, before: Place, at: Place): void {
    const other = [...this.#fingers].find(([finger]) => finger !== id)![1];
    const by = Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    this.#told.look(zoom(pan(this.#told.view(), (at.x - before.x) / 2, (at.y - before.y) / 2), by, middle));
  }

  #up(event: PointerEvent, counts: boolean): void {
    this.#fingers.delete(event.pointerId);
    if (this.#drawing === event.pointerId) this.#stop(counts);
  }

  #stop(counts: boolean): void {
    if (this.#drawing === undefined) return;
    this.#drawing = undefined;
    this.#told.end(counts);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // A trackpad's pinch comes as a wheel with the control key.
    this.#told.look(event.ctrlKey || event.metaKey
      ? zoom(this.#told.view(), Math.exp(-event.deltaY * pixels * 0.01), this.#at(event))
      : pan(this.#told.view(), -(event.shiftKey ? event.deltaY : event.deltaX) * pixels, -(event.shiftKey ? 0 : event.deltaY) * pixels));
  }

  #at({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }): Place {
    const { left, top } = this.#surface.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }
}

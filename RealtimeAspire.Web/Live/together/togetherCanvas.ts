// <together-canvas>: a surface on which people draw together. Drives the value in board.ts with the page's client and draws it. Blazor
// renders the element with its content once and leaves it alone from then on (data-permanent).

import { backoff, newId, type RealtimeError, type TopicEvent } from "@realtimeaspire/client";
import type { ConnectionStateElement } from "../connectionState.js";
import { PageClient, type Outcome } from "../pageClient.js";
import { part } from "../parts.js";
import * as boards from "./board.js";
import { canvasChange, canvasClear, canvasNote, canvasRemove, canvasStroke, type Item, type Note } from "./drawing.js";
import { Gestures } from "./gestures.js";
import { mostRaw, simplify, split, tenths } from "./line.js";
import { Notes } from "./notes.js";
import { Others } from "./others.js";
import { Painter, type Line } from "./painter.js";
import { readPast } from "./past.js";
import { Toolbar } from "./toolbar.js";
import { boxOf, fit, noteSize, pan, toScreen, toSurface, zoom, type Place, type View } from "./view.js";

/** Milliseconds until a drawing that was refused is asked for again, at least, and what is added. */
const refusedFor = 2_000;
const refusedAgain = { first: 2_000, longest: 8_000 };
/** Milliseconds for which something that was not done is said. */
const saidFor = 6_000;
/** CSS pixels that nobody sees. */
const tolerance = 0.6;
/** Pixels from dot to dot, about. */
const grid = 24;
/** Pixels that an arrow key moves the surface by. */
const keyStep = 60;

interface Sketch extends Line {
  readonly id: string;
  readonly points: number[];
}

export class TogetherCanvas extends HTMLElement {
  #mounted: AbortController | undefined;
  /** The subscription of the moment; what an earlier one still brings is void. */
  #subscribed = new AbortController();
  #page!: PageClient;
  #board!: boards.Board;
  #arrived: TopicEvent[] = [];
  #others!: Others;
  #notes!: Notes;
  #tools!: Toolbar;
  #settled!: Painter;
  #sketched!: Painter;
  #surface!: HTMLElement;
  #state!: ConnectionStateElement;
  #view: View = { x: 0, y: 0, scale: 1 };
  #hasLooked = false;
  #sketch: Sketch | undefined;
  #draft: Note | undefined;
  #undone: Item[] = [];
  #isOpen = false;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #saying: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    const topic = this.getAttribute("topic")!;
    const me = this.getAttribute("user")!;
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#page = PageClient.get(this.getAttribute("api")!, me);
    const { client } = this.#page;
    this.#board = boards.takeOver(boards.openBoard(topic, me), client.pending);
    this.#surface = part(this, "surface");
    this.#others = new Others(this, client, topic, me, () => this.#view, () => this.#drawOthers());
    this.#tools = new Toolbar(this, {
      note: () => this.#newNote(this.#middle()),
      undo: () => this.#undo(),
      redo: () => this.#redo(),
      clear: () => { if (confirm("Clear the whole drawing, for everybody?")) this.#act(canvasClear, undefined, {}); },
      zoom: by => this.#look(by === 0 ? fit(this.#size(), boxOf(boards.shown(this.#board))) : zoom(this.#view, by, this.#size(0.5))),
    }, signal);
    this.#notes = new Notes(this, me, {
      view: () => this.#view,
      write: (id, text) => this.#write(id, text),
      move: (id, place) => this.#act(canvasChange, id, place),
      remove: id => this.#remove(id),
      selected: (note, place) => this.#select(note, place),
      dropped: () => { this.#draft = undefined; this.#redraw(); },
    });
    const inkOf = (colour: Parameters<Toolbar["inkOf"]>[0]) => this.#tools.inkOf(colour);
    this.#settled = new Painter(part<HTMLCanvasElement>(this, "strokes"), inkOf);
    this.#sketched = new Painter(part<HTMLCanvasElement>(this, "sketch"), inkOf);
    new Gestures(this.#surface, {
      tool: () => this.#tools.tool,
      view: () => this.#view,
      look: view => this.#look(view),
      point: place => this.#others.point(place),
      begin: place => this.#begin(place),
      go: places => this.#go(places),
      end: counts => this.#end(counts),
      place: place => this.#newNote(place),
    }, signal);
    this.#state = part<ConnectionStateElement>(this, "connection-state");
    customElements.upgrade(this.#state);
    this.#state.client = client;

    this.addEventListener("keydown", event => this.#key(event), { signal });
    const resized = new ResizeObserver(() => this.#resize());
    resized.observe(this.#surface);
    const themed = new MutationObserver(() => this.#themed());
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#themed(), { signal });
    signal.addEventListener("abort", () => { resized.disconnect(); themed.disconnect(); });
    signal.addEventListener("abort", this.#page.enter(topic, outcome => this.#learn(outcome)));
    signal.addEventListener("abort", client.onPending(() => this.#change(boards.takeOver(this.#board, client.pending))));
    void this.#subscribe();
  }

  disconnectedCallback(): void {
    this.#mounted?.abort();
    this.#subscribed.abort();
    clearTimeout(this.#drawing);
    clearTimeout(this.#saying);
    this.#others.close();
  }

  /** What is drawn, for who asks the page: with what is on its way. */
  get drawing(): readonly Item[] {
    return [...boards.shown(boards.receive(this.#board, this.#arrived)).values()];
  }

  /** Live from the newest event on; then the past, up to where it was last cleared; only then what has come since. */
  async #subscribe(attempt = 0): Promise<void> {
    this.#subscribed.abort();
    const { signal } = this.#subscribed = new AbortController();
    const { topic } = this.#board;
    const { client } = this.#page;
    const past = Promise.withResolvers<readonly TopicEvent[]>();
    past.promise.catch(() => { /* told below */ });
    try {
      const subscription = await client.subscribe(topic, this.#others.options({
        signal,
        onEvent: async event => {
          await past.promise;
          if (!signal.aborted) this.#arrive([event]);
        },
        reload: () => {
          if (signal.aborted) return;
          this.#change(boards.startOver(boards.receive(this.#board, this.#arrived.splice(0))));
          void this.#subscribe();
        },
      }));
      const { position } = subscription;
      const events = await readPast(client, topic, position, signal);
      if (signal.aborted) return;
      attempt = 0;
      this.#state.refused = undefined;
      this.#isOpen = true;
      this.#arrive(events);
      past.resolve(events);
      this.#redraw();
      const error = await subscription.closed;
      if (error) throw error;
    } catch (error) {
      past.reject(error);
      if (!signal.aborted && client.state.name !== "closed") this.#refuse(error as RealtimeError, attempt);
    }
  }

  #refuse({ message }: RealtimeError, attempt: number): void {
    // It may be live already, without the past that belongs before it.
    this.#subscribed.abort();
    const { signal } = this.#subscribed = new AbortController();
    this.#arrived = [];
    this.#change(boards.startOver(this.#board));
    const wait = refusedFor + backoff(refusedAgain, attempt, Math.random());
    const again = () => { if (!signal.aborted) void this.#subscribe(attempt + 1); };
    this.#state.refused = { reason: message, retryAt: Date.now() + wait, retryNow: again };
    setTimeout(again, wait);
  }

  #arrive(events: readonly TopicEvent[]): void {
    for (const event of events) this.#arrived.push(event);
    this.#redraw();
  }

  #learn({ id, ...outcome }: Outcome): boolean {
    if ("error" in outcome) this.#say(outcome.error.message);
    this.#change("reply" in outcome ? boards.confirm(this.#board, id, outcome.reply) : boards.refuse(this.#board, id));
    return true;
  }

  #change(board: boards.Board): void {
    this.#board = board;
    this.#redraw();
  }

  #act(event: string, entityId: string | undefined, payload: unknown): void {
    const id = newId();
    this.#change(boards.act(this.#board, { id, event, entityId: entityId ?? null, payload }));
    this.#page.publish({ topic: this.#board.topic, event, payload, id, ...(entityId !== undefined && { entityId }) });
  }

  #begin(place: Place): void {
    this.#undone = [];
    this.#sketch = { id: newId(), points: [], colour: this.#tools.colour, width: this.#tools.width };
    this.#others.doing = { stroke: this.#sketch.id, colour: this.#sketch.colour, width: this.#sketch.width };
    this.#go([place]);
    this.#others.point(place);
  }

  #go(places: readonly Place[]): void {
    for (const { x, y } of places) this.#sketch?.points.push(x, y);
    if (this.#sketch && this.#sketch.points.length >= mostRaw) {
      this.#end(true);
      this.#begin(places.at(-1)!);
    }
    this.#others.redraw();
  }

  #end(counts: boolean): void {
    const sketch = this.#sketch;
    this.#sketch = undefined;
    this.#others.doing = undefined;
    if (!sketch || !counts) return this.#others.redraw();
    const { id, points, colour, width } = sketch;
    const parts = split(simplify(points, tolerance / this.#view.scale));
    parts.forEach((part, i) => this.#act(canvasStroke, i === 0 ? id : newId(), { points: part, colour, width }));
  }

  #newNote({ x, y }: Place): void {
    const colour = this.#tools.colour === "ink" ? "yellow" : this.#tools.colour;
    const draft: Note = { kind: "note", id: newId(), author: this.#board.me, text: "", x: tenths(x - noteSize.width / 2), y: tenths(y - noteSize.height / 2), colour };
    this.#draft = draft;
    this.#draw();
    this.#notes.write(draft.id, true);
  }

  #write(id: string, text: string): void {
    if (this.#draft?.id !== id) return this.#act(canvasChange, id, { text });
    const { x, y, colour } = this.#draft;
    this.#draft = undefined;
    this.#undone = [];
    this.#act(canvasNote, id, { text, x, y, colour });
  }

  #remove(id: string): void {
    const item = boards.shown(this.#board).get(id);
    if (!item) return;
    if (item.author === this.#board.me) return this.#act(canvasRemove, id, {});
    this.#say(`Only ${item.author} can take this note away.`);
  }

  #say(text: string): void {
    clearTimeout(this.#saying);
    part(this, "said").textContent = text;
    if (text !== "") this.#saying = setTimeout(() => this.#say(""), saidFor);
  }

  #select(note: string | undefined, place?: Place): void {
    this.#others.doing = note !== undefined && place ? { note, ...place } : undefined;
    if (place) this.#others.point({ x: place.x + noteSize.width / 2, y: place.y + noteSize.height / 2 });
    this.#draw();
  }

  #undo(): void {
    const item = boards.lastOwn(boards.shown(this.#board), this.#board.me);
    if (!item) return;
    this.#undone.push(item);
    this.#act(canvasRemove, item.id, {});
  }

  /** As something new: its name has been used. */
  #redo(): void {
    const item = this.#undone.pop();
    if (!item) return;
    const { kind, id: _, author: __, ...payload } = item;
    this.#act(kind === "stroke" ? canvasStroke : canvasNote, newId(), payload);
  }

  #key(event: KeyboardEvent): void {
    if ((event.target as Element).closest("textarea, input")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const isSurface = event.target === this.#surface;
    const way = { ArrowLeft: [keyStep, 0], ArrowRight: [-keyStep, 0], ArrowUp: [0, keyStep], ArrowDown: [0, -keyStep] }[event.key];
    const letter = event.key.toLowerCase();
    if (isCommand && letter === "z") {
      if (event.shiftKey) this.#redo(); else this.#undo();
    } else if (isCommand && letter === "y") this.#redo();
    else if (isCommand || event.altKey) return;
    else if (isSurface && way) this.#look(pan(this.#view, way[0]!, way[1]!));
    else if (isSurface && letter === "n") this.#newNote(this.#middle());
    else if (isSurface && (event.key === "+" || event.key === "=")) this.#look(zoom(this.#view, 1.25, this.#size(0.5)));
    else if (isSurface && event.key === "-") this.#look(zoom(this.#view, 0.8, this.#size(0.5)));
    else if (isSurface && event.key === "0") this.#look(fit(this.#size(), boxOf(boards.shown(this.#board))));
    else return;
    event.preventDefault();
  }

  #look(view: View): void {
    this.#view = view;
    this.#hasLooked = true;
    this.#draw();
    this.#others.redraw();
  }

  /** Of the surface on the screen, or its middle. */
  #size(part = 1): { width: number; height: number } & Place {
    const { clientWidth, clientHeight } = this.#surface;
    return { width: clientWidth, height: clientHeight, x: clientWidth * part, y: clientHeight * part };
  }

  #middle(): Place {
    return toSurface(this.#view, this.#size(0.5));
  }

  #resize(): void {
    this.#settled.resize(this.#size());
    this.#sketched.resize(this.#size());
    if (!this.#hasLooked) this.#view = fit(this.#size(), boxOf(boards.shown(this.#board)));
    this.#draw();
    this.#others.redraw();
  }

  #themed(): void {
    this.#settled.forget();
    this.#draw();
    this.#others.redraw();
  }

  /** Once for all that comes in one go; not at the next frame, which a hidden tab has not. */
  #redraw(): void {
    this.#drawing ??= setTimeout(() => this.#draw());
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    const news = this.#arrived.splice(0);
    this.#board = boards.receive(this.#board, news);
    const drawing = boards.shown(this.#board);
    if (this.#isOpen && !this.#hasLooked) {
      // What others do later does not move what is looked at.
      this.#hasLooked = true;
      this.#view = fit(this.#size(), boxOf(drawing));
      this.#others.redraw();
    }
    this.#others.arrived(news.flatMap(({ data }) => data.entity_id ?? []));
    this.#drawGrid();
    this.#settled.paint(drawing, this.#view);
    this.#notes.draw(drawing, this.#draft, this.#others.moved);
    this.#drawSketch();
    part(this, "hint").hidden = !this.#isOpen || drawing.size > 0 || this.#draft !== undefined || this.#sketch !== undefined;
    this.#tools.enable({
      undo: boards.lastOwn(drawing, this.#board.me) !== undefined,
      redo: this.#undone.length > 0,
      clear: drawing.size > 0,
    });
    this.dataset["count"] = `${drawing.size}`;
    this.dataset["waiting"] = `${this.#board.mine.length}`;
    this.dataset["open"] = `${this.#isOpen}`;
  }

  /** Its dots move with the surface, and are never too close to be seen. */
  #drawGrid(): void {
    const { x, y } = toScreen(this.#view, { x: 0, y: 0 });
    const step = grid * this.#view.scale * 2 ** Math.ceil(-Math.log2(this.#view.scale) - 0.5);
    this.#surface.style.backgroundSize = `${step}px ${step}px`;
    this.#surface.style.backgroundPosition = `${x}px ${y}px`;
  }

  #drawOthers(): void {
    this.#drawSketch();
    this.#notes.draw(boards.shown(this.#board), this.#draft, this.#others.moved);
  }

  #drawSketch(): void {
    this.#sketched.sketch(this.#sketch ? [...this.#others.lines, this.#sketch] : this.#others.lines, this.#view);
  }
}

// <network-lab>: breaks this page's connection, for real, and shows what becomes of it. Everything on show is what the client says of
// itself, beside a count of its own of what came.

import { newId, positionOf, sessionPositions, type ConnectionState, type OutboxItem, type Position, type RealtimeClient, type Recovery, type Subscription, type TopicEvent } from "@realtimeaspire/client";
import type { ConnectionStateElement } from "../connectionState.js";
import { element, part } from "../parts.js";
import { chatMessage } from "../rooms/room.js";
import { FaultyNetwork, healthy, type Faults } from "./faults.js";
import { labName, LabTokens, openLabClient } from "./labClient.js";
import { OrderCheck } from "./orderCheck.js";
import { OutboxView, type Answer } from "./outboxView.js";

const burst = 50;
const shownEvents = 8;
const shownLines = 80;
/** Milliseconds between drawings of what changes with time: ages, the countdown, the transport. */
const beat = 250;

type Fault = Exclude<keyof Faults, "latency">;

const faultNames: Record<Fault, readonly [on: string, off: string]> = {
  isCut: ["The network was cut", "The network is back"],
  isHole: ["The network swallows everything", "The network no longer swallows anything"],
  blocksWebSockets: ["WebSockets are blocked", "WebSockets get through again"],
  blocksStreams: ["Streams are blocked", "Streams get through again"],
};

const transportNames = { webSocket: "WebSocket", stream: "stream (server-sent events)", poll: "long polls" };

export class NetworkLab extends HTMLElement {
  #mounted = new AbortController();
  #network!: FaultyNetwork;
  #tokens!: LabTokens;
  #client!: RealtimeClient;
  #subscription: Subscription | undefined;
  #outbox!: OutboxView;
  /** After the last event that came, on this page or before it was reloaded. */
  #position: Position | undefined;
  #check = new OrderCheck();
  #events: TopicEvent[] = [];
  #stateName = "disconnected";
  #recovery: { readonly recovery: Recovery; readonly after: Position | undefined; readonly to: Position } | undefined;
  #published = 0;
  #drawing: ReturnType<typeof setTimeout> | undefined;

  connectedCallback(): void {
    this.#mounted = new AbortController();
    const { signal } = this.#mounted;
    this.#network = new FaultyNetwork(this.getAttribute("api")!);
    signal.addEventListener("abort", this.#network.install());
    this.#tokens = new LabTokens(line => this.#log(line));
    this.#outbox = new OutboxView(this);

    this.addEventListener("click", event => this.#clicked(event), { signal });
    const latency = part<HTMLSelectElement>(this, "latency");
    latency.addEventListener("change", () => {
      this.#network.set({ latency: Number(latency.value) });
      this.#log(latency.value === "0" ? "No latency any more" : `Each piece takes ${latency.value} ms, each way`);
    }, { signal });
    const beating = setInterval(() => this.#draw(), beat);
    signal.addEventListener("abort", () => clearInterval(beating));
    this.#start();
  }

  disconnectedCallback(): void {
    this.#client.close();
    this.#mounted.abort();
  }

  get #topic(): string {
    return this.getAttribute("topic")!;
  }

  #start(): void {
    const user = this.getAttribute("user")!;
    this.#check = new OrderCheck();
    const client = this.#client = openLabClient(this.getAttribute("api")!, user, this.#tokens, ({ item, ...answer }) => this.#answered(item, answer));
    const view = part<ConnectionStateElement>(this, "connection-state");
    // In a page that Blazor has put together the element within comes after this one.
    customElements.upgrade(view);
    view.client = client;
    client.onState(state => this.#changed(state));
    client.onPending(() => this.#redraw());
    this.#changed(client.state);
    void this.#subscribe(client, user);
  }

  async #subscribe(client: RealtimeClient, user: string): Promise<void> {
    // A page that is reloaded goes on where it was.
    const positions = sessionPositions(labName(user));
    this.#position = await positions.load(this.#topic);
    try {
      this.#subscription = await client.subscribe(this.#topic, {
        positions,
        rewind: { count: shownEvents },
        onEvent: event => this.#take(event),
        onRecovery: (recovery, to) => this.#recovered(recovery, to),
        reload: ({ position }) => {
          this.#check.skipTo(position);
          this.#position = position;
        },
      });
      const error = await this.#subscription.closed;
      if (error) this.#log(`The subscription has ended: ${error.message}`);
    } catch (error) {
      this.#log(`The subscription has ended: ${(error as Error).message}`);
    }
  }

  #take(event: TopicEvent): void {
    this.#check.take(event);
    this.#position = positionOf(event) ?? this.#position;
    if (event.offset !== undefined) this.#events = [event, ...this.#events].slice(0, shownEvents);
    this.#redraw();
  }

  #recovered(recovery: Recovery, to: Position): void {
    this.#recovery = { recovery, after: this.#position, to };
    this.#log(`Back in the topic: ${this.#recoveryText()}`);
  }

  #changed({ name, reason }: ConnectionState): void {
    const before = this.#stateName;
    this.#stateName = name;
    if (name !== before) this.#log(`${before} → ${name}${reason ? `: ${reason.message}` : ""}`, name);
    for (const state of this.querySelectorAll<SVGElement>("[data-name]")) state.classList.toggle("current", state.dataset["name"] === name);
    if (name !== before) {
      const ways = [`${before} ${name}`, `any ${name}`];
      for (const way of this.querySelectorAll<SVGElement>("[data-way]")) way.classList.toggle("taken", ways.includes(way.dataset["way"]!));
    }
    this.#draw();
  }

  #clicked(event: Event): void {
    const button = (event.target as Element).closest<HTMLElement>("button[data-action], button[data-fault]");
    const { action, fault } = button?.dataset ?? {};
    if (fault !== undefined) this.#toggle(fault as Fault);
    else if (action !== undefined) this.#act(action);
    this.#draw();
  }

  #act(action: string): void {
    switch (action) {
      case "drop": return this.#drop("The connection was dropped");
      case "expire": return this.#spoil("once");
      case "revoke": return this.#spoil("always");
      case "publish": return this.#publish(1);
      case "burst": return this.#publish(burst);
      case "disconnect": return this.#client.disconnect();
      case "close": return this.#client.close();
      case "start": return this.#startAgain();
      case "mend": return this.#mend();
    }
  }

  #toggle(fault: Fault): void {
    const isOn = !this.#network.faults[fault];
    this.#network.set({ [fault]: isOn });
    this.#log(faultNames[fault][isOn ? 0 : 1]);
    if (!isOn) this.#client.retryNow();
  }

  #drop(line: string): void {
    this.#log(line);
    this.#network.drop();
  }

  #spoil(spoiling: "once" | "always"): void {
    this.#tokens.spoiling = spoiling;
    this.#drop(spoiling === "once" ? "The token has expired" : "No token is good any more");
  }

  #startAgain(): void {
    this.#tokens.spoiling = "none";
    if (this.#client.state.name === "closed") this.#start();
    else void this.#client.connect().catch(() => { /* its state says so */ });
  }

  #mend(): void {
    this.#network.set(healthy);
    part<HTMLSelectElement>(this, "latency").value = "0";
    this.#log("Everything is mended");
    this.#startAgain();
    this.#client.retryNow();
  }

  #publish(count: number): void {
    for (let i = 0; i < count; i++) {
      const item = { request: { topic: this.#topic, event: chatMessage, payload: { text: `lab message ${++this.#published}` }, id: newId() }, at: Date.now() };
      const { topic, event, payload, id } = item.request;
      this.#client.publish(topic, event, payload, { id }).then(reply => this.#answered(item, { reply }), error => this.#answered(item, { error }));
    }
  }

  #answered(item: OutboxItem, answer: Answer): void {
    this.#outbox.answer(item, answer);
    if ("error" in answer) this.#log(`A publish has failed: ${answer.error.message}`);
  }

  #log(line: string, state?: string): void {
    const log = part(this, "log");
    const time = element("time", "code", new Date().toLocaleTimeString(undefined, { hour12: false }));
    const row = element("li", "row", time, element("span", "row-text", line));
    if (state !== undefined) row.dataset["state"] = state;
    log.prepend(row);
    while (log.childElementCount > shownLines) log.lastElementChild!.remove();
  }

  /** Once for all that comes in one go. */
  #redraw(): void {
    this.#drawing ??= setTimeout(() => this.#draw());
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    if (!this.isConnected) return;
    const { state, transport } = this.#client;
    const say = (name: string, text: string) => {
      const target = part(this, name);
      if (target.textContent !== text) target.textContent = text;
    };
    say("reason", state.reason?.message ?? "none");
    say("next", nextAttempt(state));
    say("transport", transport ? transportNames[transport] : "none");
    const { position } = this.#subscription ?? {};
    say("position", position ? `${position.epoch}:${position.offset}` : "none yet");
    say("recovery", this.#recoveryText());
    this.#drawEvents(say);
    this.#outbox.draw(this.#client.pending);
    for (const toggle of this.querySelectorAll<HTMLElement>("[data-fault]")) toggle.ariaPressed = `${this.#network.faults[toggle.dataset["fault"] as Fault]}`;
    for (const name of ["drop", "disconnect", "close", "expire", "revoke"]) this.#button(name).disabled = state.name === "closed" || state.name === "disconnected";
    this.#button("start").disabled = state.name !== "closed" && state.name !== "disconnected";
    for (const name of ["publish", "burst"]) this.#button(name).disabled = state.name === "closed";
  }

  #drawEvents(say: (name: string, text: string) => void): void {
    const { count, holes, repeats } = this.#check;
    const isOk = holes === 0 && repeats === 0;
    say("order", count === 0 ? "none yet" : `${count} came, ${holes} missing, ${repeats} twice`);
    const check = part(this, "check");
    check.hidden = count === 0;
    check.dataset["ok"] = `${isOk}`;
    say("check", isOk ? `In order, each once: ${count} of ${count}` : `${holes} missing, ${repeats} twice of ${count}`);
    part(this, "events-empty").hidden = this.#events.length > 0;
    const drawn = this.#events.map(event => `${event.epoch}:${event.offset}`).join();
    const list = part(this, "events");
    if (list.dataset["drawn"] === drawn) return;
    list.dataset["drawn"] = drawn;
    list.replaceChildren(...this.#events.map(drawEvent));
  }

  #recoveryText(): string {
    if (!this.#recovery) return "none yet";
    const { recovery, after, to } = this.#recovery;
    switch (recovery) {
      case "none": return "none: the newest events";
      case "recovered": {
        const missed = after && after.epoch === to.epoch ? to.offset - after.offset : to.offset;
        return `recovered, ${missed} ${missed === 1 ? "event" : "events"} came`;
      }
      case "gap": return "gap: events are no longer kept, goes on at the newest";
      case "new_epoch": return "new_epoch: the log has begun anew";
    }
  }

  #button(action: string): HTMLButtonElement {
    return this.querySelector<HTMLButtonElement>(`button[data-action="${action}"]`)!;
  }
}

function nextAttempt({ name, retryAt }: ConnectionState): string {
  if (name === "connected" || name === "closed" || name === "disconnected") return "none";
  return retryAt === undefined ? "now" : `in ${Math.max(0, (retryAt - Date.now()) / 1000).toFixed(1)} s`;
}

function drawEvent(event: TopicEvent): HTMLElement {
  const text = (event.data.payload as { text?: unknown } | null)?.text;
  const row = element("li", "row", element("span", "code", `${event.offset}`), element("span", "row-text", typeof text === "string" ? text : event.event),
    element("span", "row-note", event.data.user_id ?? "the server"));
  row.dataset["testid"] = "lab-event";
  row.dataset["offset"] = `${event.offset}`;
  return row;
}

// Blazor's circuit carries the list of rooms only. When it breaks, a line at the list's foot says so; nothing covers the
// conversation, which has a connection of its own.

import { LogLevel, type HubConnectionBuilder } from "@microsoft/signalr";
import { backoff } from "@realtimeaspire/client";

interface Blazor {
  start(options: {
    circuit: {
      logLevel: LogLevel;
      configureSignalR: (builder: HubConnectionBuilder) => void;
      reconnectionOptions: { maxRetries: number; retryIntervalMilliseconds: (attempt: number) => number };
    };
  }): Promise<void>;
}

type CircuitEvent = CustomEvent<{ state: string }>;

export function startCircuit(): void {
  const { Blazor } = window as unknown as { Blazor: Blazor };
  void Blazor.start({
    circuit: {
      // As with the room's connection: losing it is a state, not an error for the console.
      logLevel: LogLevel.None,
      configureSignalR: builder => builder.configureLogging(LogLevel.None),
      reconnectionOptions: { maxRetries: Infinity, retryIntervalMilliseconds: attempt => backoff({ first: 1_000, longest: 10_000 }, attempt, Math.random()) },
    },
  });

  document.addEventListener("components-reconnect-state-changed", event => {
    if ((event as CircuitEvent).detail.state !== "rejected") return;
    // The server has forgotten this page. One without a conversation has nothing to lose by starting over; with one, the
    // next link or form does, as a full page load.
    if (!document.querySelector("live-room, network-lab, together-canvas")) location.reload();
    document.body.dataset["enhanceNav"] = "false";
    for (const form of document.querySelectorAll("form[data-enhance]")) form.removeAttribute("data-enhance");
  }, true);
  document.addEventListener("click", event => {
    if ((event.target as Element).closest("[data-reload]")) location.reload();
  });
}

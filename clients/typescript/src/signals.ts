// What the surroundings say about the network. Browsers say something, Node does not.

export interface Signals {
  /** The network may be back, or the user is: try now. */
  wake(): void;
  /** The network is gone: a link that was there finds out by silence only. */
  reconnect(): void;
}

/** Listens until the returned function is called. */
export function listen(signals: Signals): () => void {
  const { document, navigator } = globalThis as { document?: Document; navigator?: Navigator & { connection?: EventTarget } };
  if (!document || typeof addEventListener !== "function") return () => { /* nothing to leave */ };

  const wake = () => signals.wake();
  const wakeIfVisible = () => { if (!document.hidden) wake(); };
  const left = new AbortController();
  const options = { signal: left.signal };
  addEventListener("online", wake, options);
  addEventListener("offline", () => signals.reconnect(), options);
  // A page that was frozen, or comes out of the history, has missed its timers.
  addEventListener("pageshow", wake, options);
  document.addEventListener("resume", wake, options);
  document.addEventListener("visibilitychange", wakeIfVisible, options);
  navigator?.connection?.addEventListener("change", wake, options);
  return () => left.abort();
}

// A tracer that knows one thing: which trace is the current one, as far as synchronous code goes.

import type { Tracing } from "../src/index.js";

export const traces = {
  /** The id of the trace that runs; null outside of any. */
  current: null as string | null,

  within<T>(trace: string | undefined, run: () => T): T {
    const before = this.current;
    this.current = trace ?? before;
    try {
      return run();
    } finally {
      this.current = before;
    }
  },
};

export const tracing: Tracing = {
  start() {
    return traces.current === null ? undefined : { traceparent: `00-${traces.current}-00f067aa0ba902b7-01`, end() { /* nothing is kept */ } };
  },
  run: (traceparent, _cause, handler) => traces.within(traceparent.split("-")[1], handler),
};

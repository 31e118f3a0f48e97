import type { TopicEvent } from "../src/wire.js";

/** An event of `room:a`; without an offset an ephemeral one. */
export function event(offset?: number, epoch = "e"): TopicEvent {
  return {
    topic: "room:a", event: "app:tick", ...(offset !== undefined && { offset, epoch }), id: `id-${offset}`, v: 1, trace_id: null,
    data: { entity_id: null, payload: { offset }, user_id: "ada", timestamp: "2026-11-21T05:27:00.123Z" },
  };
}

/** Lets everything that is ready run. */
export const settled = () => new Promise<void>(resolve => setImmediate(resolve));

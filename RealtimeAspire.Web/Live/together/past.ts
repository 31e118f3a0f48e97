// What a topic says up to a position, as far back as it matters.

import type { Position, RealtimeClient, TopicEvent } from "@realtimeaspire/client";
import { canvasClear } from "./drawing.js";

/** Events; the server takes no more in one page. */
const pageSize = 1_000;

/** Ascending. Of a drawing that was cleared, what lies before that is not read: it is a picture of nothing. */
export async function readPast(client: Pick<RealtimeClient, "history">, topic: string, upTo: Position | undefined, signal: AbortSignal): Promise<readonly TopicEvent[]> {
  const pages: (readonly TopicEvent[])[] = [];
  let before = upTo && upTo.offset > 0 ? { ...upTo, offset: upTo.offset + 1 } : undefined;
  while (before) {
    const { events, complete }: { readonly events: readonly TopicEvent[]; readonly complete: boolean } = await client.history({ topic, before, limit: pageSize }, { signal });
    pages.unshift(events);
    const first = events[0];
    const isEnough = complete || !first || events.some(({ event }) => event === canvasClear);
    before = isEnough ? undefined : { epoch: first.epoch!, offset: first.offset! };
  }
  return pages.flat();
}

import type { PositionStore } from "../subscription.js";
import type { Position } from "../wire.js";

/**
 * Positions in the tab's session storage: a page that is reloaded goes on where it was, and another tab begins on its own.
 *
 * @param name whose they are, where one page has several readers or users: `realtime`
 */
export function sessionPositions(name = "realtime"): PositionStore {
  const keyOf = (topic: string) => `${name}:position:${topic}`;
  return {
    load: topic => JSON.parse(sessionStorage.getItem(keyOf(topic)) ?? "null") as Position | null ?? undefined,
    save: (topic, { epoch, offset }) => sessionStorage.setItem(keyOf(topic), JSON.stringify({ epoch, offset })),
  };
}

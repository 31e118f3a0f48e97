// Who has read a message, and on whose devices it is.

import { avatar } from "../avatar.js";
import { showList } from "./listDialog.js";
import type { PageClient } from "../pageClient.js";
import { element } from "../parts.js";
import { roomPath } from "./roomHistory.js";

/** As many positions as one page of them has. */
const most = 1_000;

interface PositionEntry {
  readonly user: string;
  readonly read: number;
  readonly delivered: number;
}

/** @param back where the focus goes when what had it has been drawn again meanwhile */
export function showReaders(page: PageClient, topic: string, offset: number, me: string, back: () => HTMLElement | null): void {
  showList("readers", "Who has read it", async () => {
    const { positions } = await page.get<{ positions: readonly PositionEntry[] }>(`${roomPath(topic)}/positions?limit=${most}`);
    const others = positions.filter(({ user, read, delivered }) => user !== me && Math.max(read, delivered) >= offset);
    const readers = others.filter(({ read }) => read >= offset);
    return {
      items: [...readers, ...others.filter(({ read }) => read < offset)].map(one => item(one.user, one.read >= offset)),
      said: others.length === 0 ? "Nobody yet." : positions.length < most ? "" : `Of the first ${most} people in this room.`,
    };
  }, back);
}

function item(user: string, hasRead: boolean): HTMLElement {
  const made = element("li", "reader", avatar(user), element("b", "", user), element("small", "", hasRead ? "Read" : "Delivered"));
  made.dataset["testid"] = "reader";
  return made;
}

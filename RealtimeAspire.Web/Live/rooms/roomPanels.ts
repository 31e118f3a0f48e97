// What may stand beside a room's conversation (sidePanel.ts): its threads, what is pinned, what was found, what was reported, who is
// here. Each is told of what happens while it is open.

import type { PresentUser, TopicEvent } from "@realtimeaspire/client";
import type { Around } from "./conversation.js";
import { MembersPanel } from "./membersPanel.js";
import type { PageClient } from "../pageClient.js";
import { part } from "../parts.js";
import { PinsPanel } from "./pinsPanel.js";
import { ReportsPanel } from "./reportsPanel.js";
import { chatDelete, chatPin } from "./room.js";
import type { RoomMenu } from "./roomMenu.js";
import { openSearch } from "./searchPanel.js";
import { SidePanel } from "./sidePanel.js";
import { ThreadPanel } from "./threadPanel.js";

export class RoomPanels {
  readonly #root: HTMLElement;
  readonly #page: PageClient;
  readonly #topic: string;
  readonly #me: string;
  readonly #goTo: (offset: number) => void;
  readonly #side: SidePanel;
  #pins: PinsPanel | undefined;
  thread: ThreadPanel | undefined;
  members: MembersPanel | undefined;

  /** @param goTo shows a message, wherever in the room it is */
  constructor(root: HTMLElement, page: PageClient, topic: string, me: string, goTo: (offset: number) => void) {
    this.#root = root;
    this.#page = page;
    this.#topic = topic;
    this.#me = me;
    this.#goTo = goTo;
    this.#side = new SidePanel(root);
  }

  receive(event: TopicEvent): void {
    this.thread?.receive(event);
    if (event.event === chatPin || event.event === chatDelete) void this.#pins?.refresh();
  }

  /** @param show a message in it */
  openThread(around: Around, offset: number, show?: number): void {
    if (this.thread?.root === offset) {
      if (show !== undefined) this.thread.show(show);
      return;
    }
    const panel = this.#side.open("thread", "Thread", () => {
      this.thread?.dispose();
      this.thread = undefined;
    }, () => part(this.#root, "room").querySelector<HTMLElement>(`li[data-offset="${offset}"] .replies`));
    this.thread = new ThreadPanel(panel, around, offset, show);
  }

  openSearch(): void {
    const body = this.#side.open("search", "Search");
    openSearch(body, this.#page, this.#topic, (room, offset) => {
      if (`room:${room}` === this.#topic) this.#leave(offset);
      else location.assign(`/rooms/${encodeURIComponent(room)}?at=${offset}`);
    });
  }

  openPins(): void {
    const body = this.#side.open("pins", "Pinned messages", () => { this.#pins = undefined; });
    this.#pins = new PinsPanel(body, this.#page, this.#topic, this.#me, offset => this.#leave(offset));
    this.#side.focusTitle();
  }

  openReports(): void {
    new ReportsPanel(this.#side.open("reports", "Reports"), this.#page, this.#topic, offset => this.#leave(offset));
    this.#side.focusTitle();
  }

  openMembers(menu: RoomMenu, present: () => readonly PresentUser[]): void {
    const body = this.#side.open("members", "People", () => {
      this.members?.dispose();
      this.members = undefined;
    });
    this.members = new MembersPanel(body, this.#page, this.#topic, present, menu);
    this.#side.focusTitle();
  }

  dispose(): void {
    this.#side.close(false);
  }

  /** From a panel to a message: on a phone the panel is over it. */
  #leave(offset: number): void {
    if (matchMedia("(max-width: 46rem)").matches) this.#side.close(false);
    this.#goTo(offset);
  }
}

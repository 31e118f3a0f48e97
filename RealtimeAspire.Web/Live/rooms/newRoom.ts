// <new-room>: makes a room, or opens the one that a user shares with another alone. Both end on the room's page.

import { ask } from "../dialog.js";
import { openMenu } from "../menu.js";
import { PageClient } from "../pageClient.js";

const kinds = [
  { value: "public", label: "Public: whoever is signed in may join" },
  { value: "private", label: "Private: its members alone" },
  { value: "group", label: "Group: some people who talk" },
];

export class NewRoom extends HTMLElement {
  connectedCallback(): void {
    const page = PageClient.get(this.getAttribute("api")!, this.getAttribute("user")!);
    // Its button may come after it, and again: Blazor puts it there when the page is rendered, and when its circuit has begun.
    this.onclick = ({ target }) => {
      const button = (target as Element).closest("button");
      if (button) openMenu(button, "New", [
        { name: "room", label: "New room", act: () => this.#room(page) },
        { name: "direct", label: "Write to somebody", act: () => this.#direct(page) },
      ]);
    };
  }

  #room(page: PageClient): void {
    ask({
      title: "New room", action: "Make it",
      fields: [
        { name: "title", label: "Title", required: true, most: 100 },
        { name: "kind", label: "Who may come in", value: "public", options: kinds },
        { name: "description", label: "What it is for", most: 1_000 },
        { name: "members", label: "Who is in it from the beginning", hint: "Names, with commas or spaces between them", most: 4_000 },
        { name: "showsPast", label: "Whoever comes later sees what was said before", type: "check", value: "on" },
      ],
      act: async ({ title = "", kind, description, members = "", showsPast }) => {
        const name = nameOf(title);
        const request = { title, kind, description, members: members.split(/[\s,]+/).filter(member => member !== ""), showsPast: showsPast !== undefined };
        // People read addresses; where somebody has the same already, any will do.
        const room = await page.ask<{ name: string }>("POST", "/rooms", name === "" ? request : { ...request, name })
          .catch((error: { code?: string }) => { if (error.code !== "room_exists" || name === "") throw error; return page.ask<{ name: string }>("POST", "/rooms", request); });
        go(room!.name);
      },
    });
  }

  #direct(page: PageClient): void {
    ask({ title: "Write to somebody", action: "Open", fields: [{ name: "user", label: "Name", required: true, most: 64 }], act: async ({ user = "" }) => {
      go((await page.ask<{ name: string }>("PUT", `/rooms/direct/${encodeURIComponent(user)}`))!.name);
    } });
  }
}

/** Of a title what may stand in an address. */
function nameOf(title: string): string {
  return title.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
}

function go(name: string): void {
  location.assign(`/rooms/${encodeURIComponent(name)}`);
}

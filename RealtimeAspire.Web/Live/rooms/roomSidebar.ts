// <room-sidebar>: keeps the open room in sight. Blazor draws the list anew when another page comes and when its circuit
// begins, which scrolls it to its top; whoever scrolls it himself meanwhile is left alone.

export class RoomSidebar extends HTMLElement {
  readonly #changes = new MutationObserver(() => this.#show());
  #shown: Element | null = null;

  connectedCallback(): void {
    this.#changes.observe(this, { subtree: true, childList: true, attributeFilter: ["aria-current"] });
    this.#show();
  }

  disconnectedCallback(): void {
    this.#changes.disconnect();
  }

  #show(): void {
    const open = this.querySelector("[aria-current=page]");
    if (open === this.#shown) return;
    this.#shown = open;
    open?.scrollIntoView({ block: "nearest" });
  }
}

// The files of messages. They want the user's token, so pictures are fetched and shown as what has been fetched, and let go with their
// element.

import type { FileInfo } from "./body.js";
import type { PageClient } from "../pageClient.js";
import { button, element } from "../parts.js";

/** Pixels of CSS: what a picture takes in a message at most. */
const widest = 320;
const highest = 240;

const bytes = new Intl.NumberFormat(undefined, { style: "unit", unit: "byte", unitDisplay: "long" });
const kilobytes = new Intl.NumberFormat(undefined, { style: "unit", unit: "kilobyte", unitDisplay: "short", maximumFractionDigits: 0 });
const megabytes = new Intl.NumberFormat(undefined, { style: "unit", unit: "megabyte", unitDisplay: "short", maximumFractionDigits: 1 });

export function sizeOf(size: number): string {
  return size < 1_000 ? bytes.format(size) : size < 1_000_000 ? kilobytes.format(size / 1_000) : megabytes.format(size / 1_000_000);
}

export function isPicture({ type, width, height }: FileInfo): boolean {
  return type.startsWith("image/") && width !== null && height !== null;
}

/** As large as it will be, before anything of it is there. */
export function boxOf({ width, height }: FileInfo): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, widest / (width ?? 1), highest / (height ?? 1));
  return { width: Math.max(1, Math.round((width ?? 1) * scale)), height: Math.max(1, Math.round((height ?? 1) * scale)) };
}

/** The page's pictures: each is fetched when it comes near what is seen, and let go when no element shows it any more. */
export class Pictures {
  readonly #page: PageClient;
  readonly #shown = new Map<HTMLImageElement, FileInfo>();
  /** By file. */
  readonly #urls = new Map<string, string>();
  readonly #near: IntersectionObserver;
  readonly #gone: MutationObserver;

  constructor(page: PageClient, root: HTMLElement) {
    this.#page = page;
    this.#near = new IntersectionObserver(seen => { for (const { isIntersecting, target } of seen) if (isIntersecting) void this.#load(target as HTMLImageElement); }, { rootMargin: "400px" });
    this.#gone = new MutationObserver(() => this.#sweep());
    this.#gone.observe(root, { childList: true, subtree: true });
  }

  view(file: FileInfo): HTMLElement {
    if (file.type === "") return element("span", "file-chip pending", "…");
    const open = button(isPicture(file) ? "picture" : "file-chip", "open-file", isPicture(file) ? `Open ${file.name}` : `Download ${file.name}, ${sizeOf(file.bytes)}`);
    open.dataset["file"] = file.id;
    open.dataset["testid"] = "file";
    open.title = file.name;
    if (!isPicture(file)) {
      open.append(element("b", "file-name", file.name), element("small", "", sizeOf(file.bytes)));
      return open;
    }
    const { width, height } = boxOf(file);
    const image = element("img");
    image.alt = file.name;
    image.width = width;
    image.height = height;
    open.append(image);
    this.#shown.set(image, file);
    // Drawn again, because something else about the message has changed.
    const url = this.#urls.get(file.id);
    if (url === undefined) this.#near.observe(image);
    else image.src = url;
    return open;
  }

  /** The whole picture over the page; or the file into the user's downloads. */
  async open(file: FileInfo): Promise<void> {
    const url = URL.createObjectURL(await this.#page.blob(`/attachments/${encodeURIComponent(file.id)}`));
    if (!isPicture(file)) {
      save(url, file.name);
      return;
    }
    const image = element("img");
    image.src = url;
    image.alt = file.name;
    image.width = file.width!;
    image.height = file.height!;
    const close = button("icon-button lightbox-close", "close", "Close");
    close.append("×");
    const download = button("link", "save", `Download ${file.name}`);
    download.append("Download");
    const dialog = element("dialog", "lightbox", element("header", "", element("b", "", file.name), element("small", "", sizeOf(file.bytes)), download, close), image);
    dialog.ariaLabel = file.name;
    dialog.dataset["testid"] = "lightbox";
    dialog.addEventListener("close", () => { dialog.remove(); URL.revokeObjectURL(url); });
    dialog.addEventListener("click", ({ target }) => { if (target === dialog || target === close) dialog.close(); });
    download.addEventListener("click", () => save(url, file.name, false));
    document.body.append(dialog);
    dialog.showModal();
  }

  dispose(): void {
    this.#near.disconnect();
    this.#gone.disconnect();
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
    this.#shown.clear();
  }

  async #load(image: HTMLImageElement): Promise<void> {
    this.#near.unobserve(image);
    const file = this.#shown.get(image);
    if (!file) return;
    try {
      const blob = await this.#page.blob(`/attachments/${encodeURIComponent(file.id)}/thumbnail`);
      if (!this.#shown.has(image)) return;
      const url = this.#urls.get(file.id) ?? URL.createObjectURL(blob);
      this.#urls.set(file.id, url);
      image.src = url;
    } catch {
      // Its name stands in its place; it is tried again when it is drawn again.
      image.classList.add("lost");
    }
  }

  #sweep(): void {
    for (const image of this.#shown.keys()) {
      if (image.isConnected) continue;
      this.#near.unobserve(image);
      this.#shown.delete(image);
    }
    const wanted = new Set(Array.from(this.#shown.values(), ({ id }) => id));
    for (const [id, url] of this.#urls) {
      if (wanted.has(id)) continue;
      URL.revokeObjectURL(url);
      this.#urls.delete(id);
    }
  }
}

function save(url: string, name: string, revoke = true): void {
  const link = element("a");
  link.href = url;
  link.download = name;
  link.click();
  if (revoke) setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

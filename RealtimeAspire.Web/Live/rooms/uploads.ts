// The files that go with the next message: picked, pasted or dropped, and sent to the server at once.

import type { FileInfo } from "./body.js";
import { sizeOf } from "./files.js";
import type { PageClient } from "../pageClient.js";
import { button, element, part } from "../parts.js";

const most = 20;

interface Upload {
  readonly file: File;
  readonly stop: AbortController;
  readonly item: HTMLElement;
  readonly bar: HTMLProgressElement;
  readonly says: HTMLElement;
  info?: FileInfo;
}

export class Uploads {
  readonly #page: PageClient;
  readonly #path: string;
  readonly #list: HTMLElement;
  readonly #changed: () => void;
  #uploads: Upload[] = [];

  /** @param root where files may be dropped */
  constructor(root: HTMLElement, page: PageClient, path: string, changed: () => void) {
    this.#page = page;
    this.#path = path;
    this.#list = part(root, "uploads");
    this.#changed = changed;
    const picker = part<HTMLInputElement>(root, "picker");
    part(root, "attach").addEventListener("click", () => picker.click());
    picker.addEventListener("change", () => {
      this.#add(picker.files);
      picker.value = "";
    });
    part(root, "input").addEventListener("paste", event => {
      // What is copied from a document is text with a picture of it.
      if (event.clipboardData?.types.includes("text/plain")) return;
      if (this.#add(event.clipboardData?.files)) event.preventDefault();
    });
    let within = 0;
    const isFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const drag = (step: number) => { root.classList.toggle("dropping", (within = Math.max(0, within + step)) > 0); };
    root.addEventListener("dragenter", event => { if (isFile(event)) { event.preventDefault(); drag(1); } });
    root.addEventListener("dragover", event => { if (isFile(event)) event.preventDefault(); });
    root.addEventListener("dragleave", event => { if (isFile(event)) drag(-1); });
    root.addEventListener("drop", event => {
      if (!isFile(event)) return;
      event.preventDefault();
      drag(-within);
      this.#add(event.dataTransfer?.files);
    });
  }

  /** Some are on their way, or were refused: the message waits for them. */
  get isPending(): boolean {
    return this.#uploads.some(({ info }) => !info);
  }

  get files(): readonly FileInfo[] {
    return this.#uploads.flatMap(({ info }) => (info ? [info] : []));
  }

  clear(): void {
    for (const { stop } of this.#uploads) stop.abort();
    this.#uploads = [];
    this.#draw();
  }

  #add(files: FileList | undefined | null): boolean {
    if (!files || files.length === 0) return false;
    for (const file of Array.from(files).slice(0, most - this.#uploads.length)) {
      const bar = element("progress");
      bar.max = 1;
      bar.value = 0;
      const says = element("small", "", sizeOf(file.size));
      says.role = "status";
      const remove = button("icon-button", "remove", `Remove ${file.name}`, "×");
      const item = element("li", "upload", element("b", "file-name", file.name), says, bar, remove);
      item.dataset["testid"] = "upload";
      const upload: Upload = { file, stop: new AbortController(), item, bar, says };
      remove.addEventListener("click", () => {
        upload.stop.abort();
        this.#uploads = this.#uploads.filter(other => other !== upload);
        this.#draw();
      });
      this.#uploads.push(upload);
      void this.#send(upload);
    }
    this.#draw();
    return true;
  }

  async #send(upload: Upload): Promise<void> {
    const { file, stop, item, bar, says } = upload;
    // A name without what the server refuses in one.
    const name = file.name.replace(/[\p{Cc}/\\]/gu, "_").slice(0, 255) || "file";
    try {
      upload.info = await this.#page.upload<FileInfo>(`${this.#path}?name=${encodeURIComponent(name)}`, file, stop.signal, done => { bar.value = done; });
      item.dataset["state"] = "done";
    } catch (error) {
      if (stop.signal.aborted) return;
      item.dataset["state"] = "lost";
      says.textContent = (error as Error).message;
    }
    bar.hidden = true;
    this.#changed();
  }

  #draw(): void {
    this.#list.replaceChildren(...this.#uploads.map(({ item }) => item));
    this.#list.hidden = this.#uploads.length === 0;
    this.#changed();
  }
}

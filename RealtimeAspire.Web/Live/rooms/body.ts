// What a message says, and how it stands in an event's payload (docs/chat.md).

export interface FileInfo {
  readonly id: string;
  readonly name: string;
  /** Empty: only its id is known yet. */
  readonly type: string;
  readonly bytes: number;
  readonly width: number | null;
  readonly height: number | null;
}

export interface Body {
  readonly text: string;
  /** The offset of the message that it answers. */
  readonly replyTo: number | null;
  /** The offset of the message whose thread it is in. */
  readonly thread: number | null;
  readonly mentions: readonly string[];
  readonly files: readonly FileInfo[];
}

export function bodyOf(text: string, more: Partial<Body> = {}): Body {
  return { text, replyTo: null, thread: null, mentions: [], files: [], ...more };
}

/** Undefined: it is none. Untrusted. */
export function fromPayload(payload: unknown): Body | undefined {
  const { text, replyTo, thread, mentions, attachments } = (payload ?? {}) as Record<string, unknown>;
  if (typeof text !== "string") return undefined;
  const files = texts(attachments).map(id => ({ id, name: "", type: "", bytes: 0, width: null, height: null }));
  return { text, replyTo: offsetOf(replyTo), thread: offsetOf(thread), mentions: texts(mentions), files };
}

export function toPayload({ text, replyTo, thread, mentions, files }: Body): Record<string, unknown> {
  return {
    text,
    ...(replyTo !== null && { replyTo: `${replyTo}` }),
    ...(thread !== null && { thread: `${thread}` }),
    ...(mentions.length > 0 && { mentions }),
    ...(files.length > 0 && { attachments: files.map(({ id }) => id) }),
  };
}

/** A message has a text: of one that is only files, their names. */
export function textOf(text: string, files: readonly FileInfo[]): string {
  return text !== "" ? text : Array.from(files.map(({ name }) => name).join(", ")).slice(0, 1_000).join("");
}

export function saysFilesOnly({ text, files }: Pick<Body, "text" | "files">): boolean {
  return files.length > 0 && text === textOf("", files);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(one => typeof one === "string") : [];
}

export function offsetOf(id: unknown): number | null {
  return typeof id === "string" && /^[1-9]\d{0,15}$/.test(id) ? Number(id) : null;
}

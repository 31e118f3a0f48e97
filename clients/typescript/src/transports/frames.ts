// Server-sent events, as the WHATWG has them (HTML, 9.2.6), read from a response: an `EventSource` cannot send a token in a
// header, nor tell that the server lives when nothing happens.

/** A frame without a name is an event. */
export interface Frame {
  readonly name: string;
  readonly data: string;
}

/** @param heard called whenever anything comes, comments too */
export async function* frames(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<Frame, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let name = "";
  let data: string[] = [];
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      heard();
      const lines = (rest + decoder.decode(next.value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { name, data: data.join("\n") };
          [name, data] = ["", []];
          continue;
        }
        const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line)!;
        if (field === "event") name = value!;
        else if (field === "data") data.push(value!);
      }
    }
  } finally {
    await reader.cancel().catch(() => { /* it has failed before */ });
  }
}

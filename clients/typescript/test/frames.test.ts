import assert from "node:assert/strict";
import { test } from "node:test";
import { frames, type Frame } from "../src/transports/frames.js";

async function read(...pieces: readonly Uint8Array[]): Promise<{ read: Frame[]; heard: number }> {
  let heard = 0;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const got: Frame[] = [];
  for await (const frame of frames(body, () => heard++)) got.push(frame);
  return { read: got, heard };
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("frames have a name and data, of one line or several", async () => {
  const { read: got } = await read(bytes("retry: 7\nevent: subscribed\nid: 0=a:1\ndata: {\n\ndata:x\ndata: y\ndata\n\n"));
  assert.deepEqual(got, [{ name: "subscribed", data: "{" }, { name: "", data: "x\ny\n" }]);
});

test("a comment is heard and is no frame", async () => {
  assert.deepEqual(await read(bytes(":\n\n")), { read: [], heard: 1 });
});

test("what has not ended is no frame", async () => {
  assert.deepEqual((await read(bytes("data: a\n\ndata: b\n"))).read, [{ name: "", data: "a" }]);
});

for (const end of ["\n", "\r\n", "\r"]) {
  test(`a stream may be cut anywhere, with ${JSON.stringify(end)} at the end of lines`, async () => {
    const whole = bytes(["event: e", "data: {\"text\":\"grüße 🎉\"}", "", ": beat", "", "data: 2", "", ""].join(end));
    const expected = [{ name: "e", data: "{\"text\":\"grüße 🎉\"}" }, { name: "", data: "2" }];
    for (let at = 0; at <= whole.length; at++) {
      // A carriage return at the very end may be half of a line's end.
      const tail = end === "\r" ? [bytes(":")] : [];
      assert.deepEqual((await read(whole.slice(0, at), whole.slice(at), ...tail)).read, expected, `cut at ${at}`);
    }
    assert.deepEqual((await read(...Array.from(whole, byte => Uint8Array.of(byte)), bytes(":"))).read, expected);
  });
}

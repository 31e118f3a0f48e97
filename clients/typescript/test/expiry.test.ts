import assert from "node:assert/strict";
import { test } from "node:test";
import { refreshTime } from "../src/expiry.js";

const now = 1_700_000_000_000;
const encode = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;

test("a token is replaced a fifth of its time before its end", () => {
  assert.equal(refreshTime(encode({ exp: now / 1000 + 100, sub: "grüße>>>???" }), now), now + 80_000);
});

test("and at most a minute before", () => {
  assert.equal(refreshTime(encode({ exp: now / 1000 + 3_600 }), now), now + 3_540_000);
});

for (const token of [undefined, "", "opaque", "a.b.c", encode({}), encode({ exp: "soon" }), encode(null), encode({ exp: now / 1000 - 1 })]) {
  test(`nobody knows when ${token} ends`, () => assert.equal(refreshTime(token, now), undefined));
}

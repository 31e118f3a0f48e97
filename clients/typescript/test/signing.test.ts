import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RealtimeClient } from "../src/client.js";
import { EventSigner, EventVerifier, signedText, type SigningKeyInfo } from "../src/signing.js";
import type { PublishRequest, TopicEvent } from "../src/wire.js";

// What the .NET client makes of the same events.
const vectors = JSON.parse(readFileSync("../signing/vectors.json", "utf8")) as {
  readonly key: { readonly keyId: string; readonly jwk: SigningKeyInfo["jwk"]; readonly private: JsonWebKey };
  readonly signedAt: string;
  readonly canonical: readonly { readonly name: string; readonly json: string; readonly canonical: string }[];
  readonly refused: { readonly texts: readonly string[] };
  readonly events: readonly { readonly name: string; readonly publish: PublishRequest; readonly payload: string; readonly tenant: string; readonly text: string }[];
  readonly signature: { readonly text: string; readonly value: string };
};
const { key: { keyId, jwk }, signedAt } = vectors;
const info: SigningKeyInfo = { keyId, tenant: "default", user: "ada", jwk, createdAt: signedAt, revokedAt: null };

function received(publish: PublishRequest, signature?: { keyId: string; value: string; signedAt: string }): TopicEvent {
  const { topic, event, id, entityId, payload, v = 1 } = publish;
  return {
    topic, event, id: id!, v, offset: 17, epoch: "x7Qa", trace_id: null,
    data: { entity_id: entityId ?? null, payload, user_id: "ada", timestamp: signedAt, ...(signature && { signature }) },
  };
}

test("json has one canonical form", () => {
  for (const { name, json, canonical } of vectors.canonical) {
    const text = signedText({ topic: "room:x", event: "app:x", id: "1", payload: JSON.parse(json) as unknown }, { keyId, signedAt });
    assert.ok(text.includes(`"payload":${canonical},"signedAt"`), name);
  }
});

test("half a surrogate pair cannot be signed", () => {
  for (const json of vectors.refused.texts) {
    assert.throws(() => signedText({ topic: "room:x", event: "app:x", id: "1", payload: JSON.parse(json) as unknown }, { keyId, signedAt }), { code: "payload_invalid" });
  }
});

test("an event has one text, as it is published and as it is received", () => {
  for (const { name, publish, payload, tenant, text } of vectors.events) {
    const whole = { ...publish, payload: JSON.parse(payload) as unknown };
    assert.equal(signedText(whole, { keyId, signedAt }, tenant), text, name);
    assert.equal(signedText(received(whole), { keyId, signedAt }, tenant), text, name);
  }
});

test("a signature that was made elsewhere is verified, and of anything else it is none", async () => {
  const verifier = new EventVerifier(name => (name === keyId ? info : undefined));
  const { publish, payload } = vectors.events[0]!;
  const event = received({ ...publish, payload: JSON.parse(payload) as unknown }, { keyId, signedAt, value: vectors.signature.value });
  const statusOf = async (other: TopicEvent) => (await verifier.verify(other)).status;

  assert.equal(await statusOf(event), "valid");
  assert.equal(await statusOf({ ...event, topic: "room:other" }), "invalid");
  assert.equal(await statusOf({ ...event, event: "app:y" }), "invalid");
  assert.equal(await statusOf({ ...event, v: 2 }), "invalid");
  assert.equal(await statusOf({ ...event, data: { ...event.data, payload: 1 } }), "invalid");
  assert.equal(await statusOf({ ...event, data: { ...event.data, user_id: "bob" } }), "invalid");
  assert.equal(await statusOf({ ...event, data: { ...event.data, signature: { ...event.data.signature!, value: "!" } } }), "invalid");
  assert.equal(await statusOf({ ...event, data: { ...event.data, signature: { ...event.data.signature!, keyId: "other" } } }), "unknownKey");
  assert.equal(await statusOf(received(publish)), "unsigned");
  // A directory that answers with another key than was asked for.
  const other = await EventSigner.create();
  assert.equal((await new EventVerifier(() => ({ ...info, jwk: other.publicKey })).verify(event)).status, "invalid");
});

test("what is signed here is verified here, as it is sent", async () => {
  const signer = await EventSigner.create();
  const publish = { topic: "room:x", event: "app:x", id: "1", payload: { at: new Date(0), left: undefined, n: -0 } };
  const signature = await signer.sign(publish);

  const verifier = new EventVerifier(() => ({ ...info, keyId: signer.keyId, jwk: signer.publicKey }));
  const event = received(JSON.parse(JSON.stringify(publish)) as PublishRequest, signature);
  assert.equal((await verifier.verify(event)).status, "valid");
  assert.equal(signer.keyId.length, 43);
});

test("a key that was made elsewhere has the same name", async () => {
  const pair = {
    privateKey: await crypto.subtle.importKey("jwk", vectors.key.private, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", jwk as unknown as JsonWebKey, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]),
  };

  assert.equal((await EventSigner.create(pair)).keyId, keyId);
});

test("signed publishes wait in the order in which they were made, and one that cannot be signed holds up none", async () => {
  const client = new RealtimeClient("http://127.0.0.1:9", {
    reconnect: { first: 60_000, longest: 60_000 },
    sign: async ({ payload }) => {
      if (payload === 2) throw new Error("no");
      // The first takes longest.
      await new Promise(resolve => setTimeout(resolve, payload === 1 ? 20 : 0));
      return payload === 4 ? undefined : { keyId, value: `v${payload as number}`, signedAt };
    },
  });
  const publishes = [1, 2, 3, 4].map(payload => client.publish("room:x", "app:x", payload));
  publishes.forEach(published => void published.catch(() => { /* the client is closed at the end */ }));
  await assert.rejects(publishes[1]!, /no/);
  while (client.waiting < 3) await new Promise(resolve => setTimeout(resolve, 1));

  assert.deepEqual(client.pending.map(({ request }) => [request.payload, request.signature?.value]), [[1, "v1"], [3, "v3"], [4, undefined]]);
  client.close();
});

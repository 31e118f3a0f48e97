// Signatures of events by their publishers. Nothing here is in a page that does not use it.

import { RealtimeError } from "./errors.js";
import { Breaker } from "./transports/breaker.js";
import { request, type Door } from "./transports/request.js";
import type { EventSignature, PublishRequest, TopicEvent } from "./wire.js";

/** A public key of ECDSA over P-256, as a JSON Web Key. */
export interface SigningJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y: string;
}

/** A public key with which somebody signs what he publishes. */
export interface SigningKeyInfo {
  /** The RFC 7638 thumbprint of the key. */
  readonly keyId: string;
  readonly tenant: string;
  /** Whose it is, as events have it in `user_id`; null for the server itself. */
  readonly user: string | null;
  readonly jwk: SigningJwk;
  readonly createdAt: string;
  /** Since when nothing is accepted with it; null: it counts. */
  readonly revokedAt: string | null;
}

/** What a subscriber can say of an event's signature by himself. */
export interface EventVerification {
  /**
   * `valid`: the event is as the key's owner has signed it; `invalid`: somebody has changed it, or it is in another's name; `unsigned`;
   * `unknownKey`: nobody knows the key.
   */
  readonly status: "valid" | "invalid" | "unsigned" | "unknownKey";
  /** `revokedAt` in it says whether it was revoked since, or before. */
  readonly key?: SigningKeyInfo;
}

/** Of how many keys at most answers are kept. */
const mostKnown = 10_000;
const curve = { name: "ECDSA", namedCurve: "P-256" } as const;
const algorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const utf8 = new TextEncoder();

/**
 * What the publisher of an event signs: `realtime.event.v1`, a line feed, and the canonical JSON (RFC 8785) of its members. The .NET
 * client has a twin of it, and both are held against the same examples.
 *
 * @param event as it is published, or as it was received
 * @throws RealtimeError `payload_invalid`: it cannot be signed
 */
export function signedText(event: PublishRequest | TopicEvent, { keyId, signedAt }: Omit<EventSignature, "value">, tenant = "default"): string {
  const { entityId, payload } = "data" in event ? { entityId: event.data.entity_id, payload: event.data.payload } : event;
  const { event: name, id, topic, v = 1 } = event;
  return `realtime.event.v1\n${canonical({ entityId: entityId ?? null, event: name, id, keyId, payload, signedAt, tenant, topic, v })}`;
}

/** JSON as RFC 8785 has it: members in order, and everything written in the one way in which JavaScript does. */
function canonical(value: unknown): string {
  if (typeof value === "string" && !value.isWellFormed()) throw new RealtimeError("payload_invalid", "Half a surrogate pair is no text, and cannot be signed.", false);
  if (typeof value !== "object" || value === null) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new RealtimeError("payload_invalid", "The payload is missing.", false);
    return text;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return `{${Object.keys(value).sort().map(name => `${canonical(name)}:${canonical((value as Record<string, unknown>)[name])}`).join(",")}}`;
}

/** Signs what somebody publishes, with a private key that nobody else has. `crypto.subtle` needs a secure context. */
export class EventSigner {
  /** The key's name. */
  readonly keyId: string;
  /** What the server has to know of the key. */
  readonly publicKey: SigningJwk;
  readonly tenant: string;
  readonly #key: CryptoKey;

  private constructor(key: CryptoKey, publicKey: SigningJwk, keyId: string, tenant: string) {
    this.#key = key;
    this.publicKey = publicKey;
    this.keyId = keyId;
    this.tenant = tenant;
  }

  /**
   * @param keys of ECDSA over P-256; made here by default, so that nobody can ever read the private one
   * @param tenant of which the publisher is
   */
  static async create(keys?: CryptoKeyPair, tenant = "default"): Promise<EventSigner> {
    const { privateKey, publicKey } = keys ?? await crypto.subtle.generateKey(curve, false, ["sign", "verify"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey) as unknown as SigningJwk;
    const jwk = { kty, crv, x, y };
    return new EventSigner(privateKey, jwk, await thumbprint(jwk), tenant);
  }

  /**
   * @param publish an event as it is about to be published, with its id
   * @throws RealtimeError `payload_invalid`: it cannot be signed
   */
  async sign(publish: PublishRequest): Promise<EventSignature> {
    const unsigned = { keyId: this.keyId, signedAt: new Date().toISOString() };
    // As it will be sent: dates are texts, and what JSON leaves out is not there.
    const sent = JSON.parse(JSON.stringify(publish)) as PublishRequest;
    const signature = await crypto.subtle.sign(algorithm, this.#key, utf8.encode(signedText(sent, unsigned, this.tenant)));
    return { ...unsigned, value: toBase64Url(new Uint8Array(signature)) };
  }
}

/** The public keys of a server: registers and revokes one's own, and finds those with which others have signed. */
export class SigningKeys {
  readonly #url: string;
  readonly #token: () => string | undefined | Promise<string | undefined>;
  readonly #keep: number;
  readonly #breaker = new Breaker({ failures: 5, pause: 5_000 });
  readonly #known = new Map<string, { readonly key: SigningKeyInfo | undefined; readonly at: number }>();

  /**
   * @param url the server's address
   * @param options asked for a token at each request; `keep`: for how many milliseconds an answer is taken for true, 60,000. A key itself
   * never changes; that it was revoked is known so much later
   */
  constructor(url: string, { token, keep = 60_000 }: { readonly token: () => string | undefined | Promise<string | undefined>; readonly keep?: number }) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
    this.#keep = keep;
  }

  /** Registers a key of the caller's. Again, it changes nothing. */
  async register(jwk: SigningJwk): Promise<SigningKeyInfo> {
    return await request(await this.#door(), "POST", "/signing-keys", { jwk });
  }

  /** Revokes a key: nothing is accepted with it any more. What it has signed stays signed. */
  async revoke(keyId: string): Promise<void> {
    await request(await this.#door(), "DELETE", addressOf(keyId));
    this.#known.delete(keyId);
  }

  /** A key by its name; undefined: the server has none. Fails with `disconnected` where that cannot be found out. */
  async find(keyId: string): Promise<SigningKeyInfo | undefined> {
    const known = this.#known.get(keyId);
    if (known && Date.now() - known.at < this.#keep) return known.key;
    const at = Date.now();
    const key = await this.#ask(keyId);
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(keyId, { key, at });
    return key;
  }

  async #ask(keyId: string): Promise<SigningKeyInfo | undefined> {
    try {
      return await request(await this.#door(), "GET", addressOf(keyId));
    } catch (error) {
      if (error instanceof RealtimeError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  async #door(): Promise<Door> {
    return { url: this.#url, token: await this.#token(), answerTimeout: 10_000, breaker: this.#breaker };
  }
}

/** Verifies the signatures of events where they are read, so that the server need not be believed. */
export class EventVerifier {
  readonly #find: (keyId: string) => SigningKeyInfo | undefined | Promise<SigningKeyInfo | undefined>;
  readonly #imported = new WeakMap<SigningJwk, Promise<CryptoKey>>();

  /** @param find finds a key by its name: `keyId => keys.find(keyId)`, or among keys that the application has by other means */
  constructor(find: (keyId: string) => SigningKeyInfo | undefined | Promise<SigningKeyInfo | undefined>) {
    this.#find = find;
  }

  /** @returns what has become of the signature; fails where the key cannot be asked for now */
  async verify(event: TopicEvent): Promise<EventVerification> {
    const { signature } = event.data;
    if (!signature) return { status: "unsigned" };
    const key = await this.#find(signature.keyId);
    if (!key) return { status: "unknownKey" };
    return { status: await this.#isOf(event, signature, key) ? "valid" : "invalid", key };
  }

  /** A key has the name that its bytes give it, and signs in its owner's name alone. */
  async #isOf(event: TopicEvent, signature: EventSignature, { jwk, user, tenant }: SigningKeyInfo): Promise<boolean> {
    if (await thumbprint(jwk) !== signature.keyId || user !== event.data.user_id) return false;
    try {
      const { kty, crv, x, y } = jwk;
      const known = this.#imported.get(jwk) ?? crypto.subtle.importKey("jwk", { kty, crv, x, y }, curve, false, ["verify"]);
      this.#imported.set(jwk, known);
      return await crypto.subtle.verify(algorithm, await known, fromBase64Url(signature.value), utf8.encode(signedText(event, signature, tenant)));
    } catch {
      // It is no key, or nothing that anybody can have signed.
      return false;
    }
  }
}

function addressOf(keyId: string): string {
  return `/signing-keys/${encodeURIComponent(keyId)}`;
}

async function thumbprint({ crv, kty, x, y }: SigningJwk): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(JSON.stringify({ crv, kty, x, y })))));
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), character => character.charCodeAt(0));
}

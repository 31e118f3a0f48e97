// The API token of who is signed in, from the page's own server. Kept in memory only.

import { RealtimeError } from "@realtimeaspire/client";

export const signedOut = "signed_out";

interface Token {
  readonly value: string;
  readonly goodUntil: number;
}

export class Session {
  #token: Token | undefined;

  /** `renew` asks for one that was issued now: the API may not know the old one any more. */
  async token(renew: boolean): Promise<string> {
    const kept = this.#token && Date.now() < this.#token.goodUntil ? this.#token : undefined;
    if (kept && !renew) {
      return kept.value;
    }
    try {
      this.#token = await fetchToken(renew);
      return this.#token.value;
    } catch (error) {
      // The web server may be away while the API is not.
      if (kept && !(error instanceof RealtimeError)) return kept.value;
      throw error;
    }
  }
}

async function fetchToken(renew: boolean): Promise<Token> {
  const response = await fetch(renew ? "/session/token?renew=true" : "/session/token", {
    cache: "no-store",
    headers: { accept: "application/json" },
    redirect: "manual",
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status === 401 || response.type === "opaqueredirect") {
    // Trying again does not help: the client closes.
    throw new RealtimeError(signedOut, "The session has ended.", false);
  }
  if (!response.ok) {
    throw new Error(`No token: ${response.status}.`);
  }
  const { access_token, expires_in } = await response.json() as { access_token: string; expires_in: number };
  return { value: access_token, goodUntil: Date.now() + (expires_in - 60) * 1000 };
}

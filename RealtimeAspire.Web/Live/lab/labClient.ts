// The client that the lab breaks: the one that rooms use, with faster clocks and a token that can go bad.

import { indexedDbOutbox, RealtimeClient, type LateOutcome } from "@realtimeaspire/client";
import { Session } from "../session.js";

/** What happens to the tokens that are handed out from now on. */
export type Spoiling = "none" | "once" | "always";

export class LabTokens {
  readonly #session = new Session();
  readonly #told: (line: string) => void;
  spoiling: Spoiling = "none";

  constructor(told: (line: string) => void) {
    this.#told = told;
  }

  async next(renew: boolean): Promise<string> {
    const token = await this.#session.token(renew);
    if (this.spoiling === "none") {
      if (renew) this.#told("The last token was refused: another one was handed out");
      return token;
    }
    this.#told("A token was handed out that the server refuses");
    if (this.spoiling === "once") this.spoiling = "none";
    // Its signature is another one's.
    return `${token.slice(0, token.lastIndexOf("."))}.${"A".repeat(43)}`;
  }
}

/** A user who waits for it should not wait long; what is not named is as everywhere. */
export function openLabClient(api: string, user: string, tokens: LabTokens, onLateOutcome: (outcome: LateOutcome) => void): RealtimeClient {
  return new RealtimeClient(api, {
    token: renew => tokens.next(renew),
    heartbeat: 2_000,
    silence: 6_000,
    openTimeout: 5_000,
    answerTimeout: 5_000,
    suspendAfter: 10_000,
    retryWebSocketAfter: 5_000,
    reconnect: { first: 500, longest: 4_000 },
    outbox: { ...(isSecureContext && { store: indexedDbOutbox(labName(user)) }), onLateOutcome },
  });
}

/** Whose outbox and positions they are. */
export function labName(user: string): string {
  return `realtime.lab ${user}`;
}

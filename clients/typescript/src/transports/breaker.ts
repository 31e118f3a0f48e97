// A circuit breaker: where requests fail one after another, none is sent for a while, and then one that shows whether it is better.

import { RealtimeError } from "../errors.js";

export interface BreakerLimits {
  /** So many failures in a row open it. */
  readonly failures: number;
  /** Milliseconds for which nothing is sent then. */
  readonly pause: number;
}

export class Breaker {
  readonly #limits: BreakerLimits;
  #failed = 0;
  #openUntil = 0;
  #isTrying = false;

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  /**
   * Fails with `circuit_open` where the request is not to be sent.
   * @param givenUp whoever asked wants no answer any more, which says nothing about the server
   */
  async pass<T>(send: () => Promise<T>, givenUp?: AbortSignal): Promise<T> {
    const isOpen = this.#failed >= this.#limits.failures;
    if (isOpen && (this.#isTrying || Date.now() < this.#openUntil)) {
      throw new RealtimeError("circuit_open", "Requests to the server fail one after another; none is sent for a moment.", true);
    }
    this.#isTrying = isOpen;
    try {
      const answer = await send();
      this.reset();
      return answer;
    } catch (error) {
      this.#isTrying = false;
      if (error instanceof RealtimeError && error.code !== "disconnected" && error.code !== "internal") {
        // Whatever it says, it answers.
        this.reset();
      } else if (!givenUp?.aborted) {
        this.#failed++;
        this.#openUntil = Date.now() + this.#limits.pause;
      }
      throw error;
    }
  }

  /** It may be better now. */
  reset(): void {
    this.#failed = 0;
    this.#isTrying = false;
  }
}

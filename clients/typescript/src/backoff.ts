/** How long to wait before the next attempt. */
export interface Backoff {
  /** Milliseconds: the first wait is at most this. */
  readonly first: number;
  /** Milliseconds: no wait is longer. */
  readonly longest: number;
}

/**
 * Full jitter: anything up to `first`, twice that, four times … `longest`, so that those who lost one node do not arrive at the
 * next as one wave (M. Brooker, "Exponential Backoff and Jitter", 2015).
 *
 * @param failed how many attempts have failed, from 0
 * @param random 0 to 1
 */
export function backoff({ first, longest }: Backoff, failed: number, random: number): number {
  return Math.round(random * Math.min(longest, first * 2 ** Math.min(failed, 30)));
}

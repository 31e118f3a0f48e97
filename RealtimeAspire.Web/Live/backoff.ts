// Full jitter between 0.2 and 10 s, so that clients which lost one node do not come back as one wave.

const least = 200;
const most = 10_000;

export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(most, 1_000 * 2 ** attempt);
  return Math.round(least + random * (ceiling - least));
}

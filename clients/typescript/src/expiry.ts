/** At most so long before its end a token is replaced, in milliseconds. */
const longestLead = 60_000;

/**
 * When to replace a token, in milliseconds as of `Date.now()`: a fifth of its time before its end, at most a minute. Undefined where
 * it does not say when it ends, as one that is no JWT.
 */
export function refreshTime(token: string | undefined, now = Date.now()): number | undefined {
  try {
    const claims = JSON.parse(atob(token!.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    const end = Number(claims.exp) * 1000;
    return end > now ? end - Math.min(longestLead, (end - now) / 5) : undefined;
  } catch {
    return undefined;
  }
}

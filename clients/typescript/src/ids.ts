const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * An id in the form of a ULID: 48 bits of time and 80 random ones. `crypto.randomUUID` is missing where a page is served over
 * plain http from another machine.
 */
export function newId(now = Date.now(), random = crypto.getRandomValues(new Uint8Array(16))): string {
  let time = "";
  for (let rest = now, place = 0; place < 10; place++) {
    time = digits[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  return time + Array.from(random, byte => digits[byte % 32]!).join("");
}

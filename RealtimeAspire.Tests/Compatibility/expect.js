// What the cases say about what they see.

export function equal(actual, expected, what = "value") {
  const [actually, expectedly] = [text(actual), text(expected)];
  if (actually !== expectedly) {
    throw new Error(`Another ${what} was expected: ${shorten(expectedly)}; it was ${shorten(actually)}.`);
  }
}

/** The message of the error with which a promise is rejected. */
export async function failure(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error.message;
  }
  throw new Error(`An error was expected; it was ${shorten(text(value))}.`);
}

/** What a stream gave, and the message of its error; null if it was complete. */
export const collect = stream => new Promise(resolve => {
  const items = [];
  stream.subscribe({
    next: item => items.push(item),
    complete: () => resolve({ items, error: null }),
    error: error => resolve({ items, error: error.message }),
  });
});

/** A promise and what resolves it. */
export function deferred() {
  let resolve;
  const promise = new Promise(done => { resolve = done; });
  return { promise, resolve };
}

const text = value => JSON.stringify(value) ?? "undefined";

const shorten = value => value.length > 200 ? `${value.slice(0, 200)}… (${value.length} characters)` : value;

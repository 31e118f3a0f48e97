// Waiting that ends.

import { disconnected } from "./errors.js";

/** Ends early, and does not fail, when the signal says so. */
export function sleep(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      ended.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (ended.aborted) done();
    else ended.addEventListener("abort", done);
  });
}

/** Fails when the signal says so, as `disconnected` if not otherwise; how the promise ends then is nobody's concern any more. */
export function untilAborted<T>(promise: Promise<T>, aborted: AbortSignal, why: () => unknown = disconnected): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(why());
    aborted.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => aborted.removeEventListener("abort", abort));
    if (aborted.aborted) abort();
  });
}

/** The same for a signal of the application, if there is one: fails with its reason. */
export function untilSignalled<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal ? untilAborted(promise, signal, () => signal.reason) : promise;
}

/** Fails as `disconnected` after so many milliseconds; how the promise ends then is nobody's concern any more. */
export function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(disconnected(new Error(`No answer within ${ms} ms.`))), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

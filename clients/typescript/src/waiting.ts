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

/** Fails as `disconnected` when the signal says so; how the promise ends then is nobody's concern any more. */
export function untilAborted<T>(promise: Promise<T>, aborted: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(disconnected());
    aborted.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => aborted.removeEventListener("abort", abort));
    if (aborted.aborted) abort();
  });
}

/** Fails as `disconnected` after so many milliseconds; how the promise ends then is nobody's concern any more. */
export function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(disconnected(new Error(`No answer within ${ms} ms.`))), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Fails with the reason of the application's signal; how the promise ends then is nobody's concern any more. */
export function untilSignalled<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

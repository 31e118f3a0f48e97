/** Calls what the application gave. What that throws is the application's, as in any callback, and stops nothing here. */
export function notify<A extends readonly unknown[]>(callback: ((...args: A) => void) | undefined, ...args: A): void {
  try {
    callback?.(...args);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}

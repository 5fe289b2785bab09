// How long to wait before trying again.

const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/** Milliseconds before try number `tries` + 1: twice as many each time, half of them by chance. */
export const backoff = (tries) =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** tries) * (0.5 + Math.random() / 2);

/** Waits; rejected with the signal's reason when that is aborted. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

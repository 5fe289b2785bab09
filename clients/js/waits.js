// How long to wait before trying again.

const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/** Milliseconds before try number `tries` + 1: twice as many each time, half of them by chance. */
export const backoff = (tries) =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** tries) * (0.5 + Math.random() / 2);

/** What `promise` gives; when the signal is aborted before, its reason, behind `giveUp()`. */
export async function unless(signal, promise, giveUp) {
  let abort;
  const aborted = new Promise((_, reject) => {
    abort = () => {
      reject(signal.reason);
      giveUp();
    };
  });
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

export function sleep(ms, signal) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  return unless(signal, over, () => clearTimeout(timer));
}

// What keeps a page true: polls that rest while it is hidden, and the events of the socket.

import { news, session } from "./session.js";

const EVERY_MS = 10_000;
const GAP_MS = 1000;

/**
 * Calls `load` now, every `every` ms while the page is shown, when it is shown again and when the
 * connection is back. It gives a function that asks for another call at once, and its `soon`, for
 * events, at most once a second. `failed` gets what `load` throws, and nothing once it went well.
 */
export function poll(signal, load, failed, { every = EVERY_MS } = {}) {
  let timer = 0;
  let last = 0;
  let running = false;
  let next = every; // ms from the end of this call to the one after it
  const plan = (ms) => {
    clearTimeout(timer);
    if (!signal.aborted && !document.hidden) timer = setTimeout(now, ms);
  };
  const now = async () => {
    if (running) return void (next = 0);
    clearTimeout(timer);
    running = true;
    next = every;
    last = performance.now();
    try {
      await load();
      if (!signal.aborted) failed();
    } catch (error) {
      if (!signal.aborted && session.me) failed(error);
    }
    running = false;
    plan(next);
  };
  const soon = () => {
    if (running) next = Math.min(next, GAP_MS);
    else plan(Math.max(0, last + GAP_MS - performance.now()));
  };
  const shown = () => (document.hidden ? clearTimeout(timer) : now());
  let lost = false;
  const back = ({ detail: { state } }) => {
    if (state === "open" && lost) now();
    lost = state === "waiting" || (lost && state !== "open");
  };
  document.addEventListener("visibilitychange", shown, { signal });
  news.addEventListener("connection", back, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  now();
  return Object.assign(now, { soon });
}

/** Calls `take` with each item of a source until it ends or the signal; `failed` if it breaks. */
async function each(source, signal, take, failed) {
  try {
    for await (const item of source) {
      if (signal.aborted) return;
      take(item);
    }
  } catch (error) {
    if (!signal.aborted && session.me) failed?.(error);
  }
}

/** The status events of all jobs of one's own tenant, or of `tenantId`. */
export function onJobs(signal, take, tenantId = session.me.tenantId) {
  if (tenantId === session.me.tenantId)
    news.addEventListener("job", ({ detail }) => take(detail), { signal });
  else each(session.client.events({ tenantId, signal }), signal, take);
}

/** The events of one job behind seq `after`, to its end. */
export const onJob = (signal, id, after, take, failed) =>
  each(session.client.job(id).events({ after, signal }), signal, take, failed);

// A React hook: one job, live.

import { useMemo, useSyncExternalStore } from "react";

const LINES = 1_000;
const PIECES = 10_000;
const FRAME_MS = 16; // a busy job renders this often at most

const subscribeToNothing = () => () => {};

export function useJob(jobcast, id) {
  const store = useMemo(() => (id == null ? null : new Store(jobcast, id)), [jobcast, id]);
  const empty = useMemo(() => nothing(jobcast), [jobcast]);
  const look = () => store?.view ?? empty;
  return useSyncExternalStore(store?.subscribe ?? subscribeToNothing, look, look);
}

const nothing = (jobcast) => ({
  status: null,
  progress: null,
  logs: [],
  output: [],
  result: undefined,
  error: null,
  events: [],
  connection: jobcast.connection,
});

/** What was seen of a job, as React wants it: `view` is a new object after every change. */
class Store {
  #jobcast;
  #job;
  #last = 0;
  #attempt = 0;
  #over = false;
  #listeners = new Set();
  #next; // what `view` will be
  #timer = null;
  #stop = null;

  constructor(jobcast, id) {
    this.#jobcast = jobcast;
    this.#job = jobcast.job(id);
    this.view = nothing(jobcast);
    this.#next = { ...this.view };
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    this.#stop ??= this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size) return;
      this.#stop();
      this.#stop = null;
    };
  };

  #start() {
    const aborting = new AbortController();
    const off = this.#jobcast.on("connection", (connection) => this.#change({ connection }));
    this.#change({ connection: this.#jobcast.connection });
    if (!this.#over) this.#watch(aborting.signal);
    return () => {
      off();
      aborting.abort();
    };
  }

  async #watch(signal) {
    try {
      const events = this.#job.events({ after: this.#last, signal });
      for await (const event of events) this.#take(event);
      this.#over = true;
    } catch (error) {
      if (!signal.aborted) this.#change({ error });
    }
  }

  #take(event) {
    const { events, logs, output } = this.#next;
    this.#change({ events: [...events.slice(1 - LINES), event] });
    if (event.type === "gap") return;
    this.#last = event.seq;
    this.#change({ status: event.status });
    // Output and progress of an earlier attempt are void.
    if (event.attempt > this.#attempt) this.#change({ output: [], progress: null, error: null });
    this.#attempt = event.attempt;
    const { type, percent, note, data, result, error } = event;
    if (type === "job:progress") this.#change({ progress: { percent, note } });
    else if (type === "job:log") this.#change({ logs: [...logs.slice(1 - LINES), event] });
    else if (type === "job:output")
      this.#change({ output: [...this.#next.output.slice(1 - PIECES), data] });
    else if (type === "job:done") this.#change({ result });
    else if (type === "job:failed" || type === "job:retrying") this.#change({ error });
  }

  #change(news) {
    Object.assign(this.#next, news);
    this.#timer ??= setTimeout(() => this.#show(), FRAME_MS);
  }

  #show() {
    this.#timer = null;
    this.view = { ...this.#next };
    for (const listener of [...this.#listeners]) listener();
  }
}

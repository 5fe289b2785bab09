import { JobcastError, JobFailed } from "./errors.js";
import { segment } from "./http.js";
import { JobWatch } from "./topics.js";

/** A handle on one job; made by `jobcast.job(id)` and `jobcast.submit(…)`. */
export class Job {
  #context;
  #path;

  /** `context` = {http, live, url, watchToken}. */
  constructor(context, id, data = null) {
    this.#context = context;
    this.#path = `/jobs/${segment(id)}`;
    this.id = id;
    this.data = data;
  }

  async show({ wait, signal } = {}) {
    return (this.data = await this.#ask("GET", "", { query: { wait }, wait, signal }));
  }

  async *events({ after = 0, signal } = {}) {
    if (after !== null && !(Number.isSafeInteger(after) && after >= 0))
      throw new TypeError("`after` is the seq of an event, 0, or null.");
    yield* new JobWatch(this.#context.live, this.id.toLowerCase(), after).read(signal);
  }

  async result({ signal } = {}) {
    let last;
    for await (const event of this.events({ after: null, signal })) last = event;
    if (last?.type === "job:done") return last.result;
    if (last?.type === "job:failed" || last?.type === "job:cancelled")
      throw new JobFailed(this.id, last.status, last.error ?? null);
    const deleted = last?.type === "gap" && last.to === null;
    throw new JobcastError(deleted ? `Job ${this.id} was deleted.` : "Jobcast was closed.", {
      code: deleted ? "NOT_FOUND" : "CLOSED",
    });
  }

  async cancel({ signal } = {}) {
    return (this.data = await this.#ask("POST", "/cancel", { signal }));
  }

  async retry({ payload, signal } = {}) {
    const body = payload === undefined ? undefined : { payload };
    return (this.data = await this.#ask("POST", "/retry", { body, signal }));
  }

  delete({ signal } = {}) {
    return this.#ask("DELETE", "", { signal });
  }

  logs({ after, limit, signal } = {}) {
    return this.#ask("GET", "/logs", { query: { after, limit }, signal });
  }

  output({ after, limit, attempt, signal } = {}) {
    return this.#ask("GET", "/output", { query: { after, limit, attempt }, signal });
  }

  files({ signal } = {}) {
    return this.#ask("GET", "/files", { signal });
  }

  file(name, { signal } = {}) {
    const path = `${this.#path}/files/${segment(name)}`;
    return this.#context.http.call("GET", path, { blob: true, signal });
  }

  fileUrl(name, watchToken = this.#context.watchToken) {
    const search = watchToken ? `?token=${encodeURIComponent(watchToken)}` : "";
    return `${this.#context.url}/api${this.#path}/files/${segment(name)}${search}`;
  }

  watchToken({ expiresIn, signal } = {}) {
    const body = expiresIn === undefined ? undefined : { expiresIn };
    return this.#ask("POST", "/tokens", { body, signal });
  }

  webhookLogs({ signal } = {}) {
    return this.#ask("GET", "/webhook-logs", { signal });
  }

  redeliver(deliveryId, { signal } = {}) {
    return this.#ask("POST", `/webhook-logs/${segment(deliveryId)}/redeliver`, { signal });
  }

  async #ask(method, path, options) {
    return (await this.#context.http.call(method, this.#path + path, options)).data;
  }
}

// Jobcast for browsers and Node.js: see README.md, and index.d.ts for every name.

import { Channel } from "./channel.js";
import { Credentials } from "./credentials.js";
import { JobcastError, JobFailed } from "./errors.js";
import { Http } from "./http.js";
import { Job } from "./job.js";
import { Listeners } from "./listeners.js";
import { Live } from "./live.js";
import { TenantWatch } from "./topics.js";

export { Channel, Job, JobcastError, JobFailed };

export class Jobcast {
  #listeners = new Listeners();
  #channels = new Map();
  #http;
  #live;
  #context;

  constructor({ url = globalThis.location?.origin, fetch, WebSocket, ...who } = {}) {
    if (url === undefined) throw new TypeError("Give Jobcast the `url` of its server.");
    const { origin, pathname } = new URL(url);
    this.url = origin + pathname.replace(/\/+$/, "");
    const credentials = new Credentials(who, {
      trade: async (refreshToken) => {
        const options = { body: { refreshToken }, anonymous: true, repeatable: true };
        return (await this.#http.call("POST", "/auth/refresh", options)).data;
      },
      tell: (tokens) => this.#listeners.tell("tokens", tokens),
    });
    this.#http = new Http(this.url, fetch, credentials);
    this.#live = new Live(this.url, credentials, WebSocket, (state) =>
      this.#listeners.tell("connection", state),
    );
    const { watchToken } = who;
    this.#context = { http: this.#http, live: this.#live, url: this.url, watchToken };
  }

  get connection() {
    return this.#live.state;
  }

  async submit(type, payload = {}, { signal, idempotencyKey = randomKey(), ...fields } = {}) {
    const { data } = await this.#http.call("POST", "/jobs", {
      body: { type, payload, ...fields },
      headers: { "Idempotency-Key": idempotencyKey },
      repeatable: true,
      signal,
    });
    return new Job(this.#context, data.id, data);
  }

  job(id) {
    return new Job(this.#context, id);
  }

  jobs({ signal, ...query } = {}) {
    const page = async (more) => {
      const options = { query: { ...query, ...more }, signal };
      const { data: jobs, meta } = await this.#http.call("GET", "/jobs", options);
      return { jobs, meta };
    };
    return {
      then: (resolve, reject) => page().then(resolve, reject),
      async *[Symbol.asyncIterator]() {
        for (let cursor; ;) {
          const found = await page(cursor && { page: 1, cursor });
          if (found.jobs.length) yield found;
          ({ cursor } = found.meta);
          if (cursor === undefined) return;
        }
      },
    };
  }

  async *events({ after, tenantId, signal } = {}) {
    const id = tenantId ?? (await this.#tenant(signal));
    yield* new TenantWatch(this.#live, id, after).read(signal);
  }

  channel(name, { tenantId } = {}) {
    const key = JSON.stringify([name, tenantId]);
    if (!this.#channels.has(key))
      this.#channels.set(key, new Channel(this.#context, name, tenantId));
    return this.#channels.get(key);
  }

  async request(method, path, { body, query, signal, headers, repeatable } = {}) {
    const options = { body, query, signal, headers, repeatable };
    return (await this.#http.call(method, path, options)).data;
  }

  async page(path, { query, signal, headers } = {}) {
    const { data: items, meta } = await this.#http.call("GET", path, { query, signal, headers });
    return { items, meta };
  }

  on(event, listener) {
    return this.#listeners.add(event, listener);
  }

  pause() {
    this.#live.pause();
  }

  resume() {
    this.#live.resume();
  }

  close() {
    this.#live.close();
  }

  /** Whose connection this is: the server says so when it has opened. */
  async #tenant(signal) {
    while (this.#live.tenantId === undefined) {
      try {
        await this.#live.command({ type: "ping" }, signal);
      } catch (error) {
        if (error?.code !== "DISCONNECTED") throw error;
      }
    }
    return this.#live.tenantId;
  }
}

// crypto.randomUUID is missing in pages that came by plain http.
const randomKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

// Requests: credentials, the envelope, bounded retries, errors.

import { JobcastError } from "./errors.js";
import { backoff, sleep } from "./waits.js";

const ANSWER_MS = 30_000;
const RETRY_FOR_MS = 30_000;

/** `text` as one segment of a path, which can't lead elsewhere. */
export function segment(text) {
  if (typeof text !== "string" || /^\.{0,2}$/.test(text))
    throw new TypeError(`${JSON.stringify(text)} is no id or name.`);
  return encodeURIComponent(text);
}

export class Http {
  #url;
  #fetch;
  #credentials;

  constructor(url, fetch, credentials) {
    this.#url = url;
    this.#fetch = fetch ?? ((...request) => globalThis.fetch(...request));
    this.#credentials = credentials;
  }

  /**
   * The envelope of an answer, or its `blob`. What was not taken (429, 503) is sent again, and what
   * is `repeatable` also after a lost connection, all within half a minute.
   */
  async call(method, path, { anonymous = false, repeatable = method === "GET", ...options } = {}) {
    const until = Date.now() + RETRY_FOR_MS;
    let renewed = false;
    for (let tries = 0; ; tries++) {
      const token = anonymous ? undefined : await this.#credentials.token();
      const who = anonymous ? {} : this.#credentials.headers(token);
      try {
        return await this.#once(method, path, who, options);
      } catch (error) {
        if (!(error instanceof JobcastError)) throw error;
        if (error.status === 401 && !anonymous && !renewed && this.#credentials.renewable) {
          await this.#credentials.renew(token);
          renewed = true;
          continue;
        }
        const pause = backoff(tries) + 1000 * (error.retryAfter ?? 0);
        if (!mayRepeat(error, repeatable) || Date.now() + pause > until) throw error;
        await sleep(pause, options.signal);
      }
    }
  }

  async #once(method, path, who, { body, query, headers, signal, wait = 0, blob = false }) {
    signal?.throwIfAborted();
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const late = AbortSignal.timeout(ANSWER_MS + 1000 * wait);
    const fetch = this.#fetch; // called as a function: browsers refuse it as a method
    let response, answer;
    try {
      response = await fetch(this.#address(path, query), {
        method,
        headers: {
          ...who,
          ...(text !== undefined && { "Content-Type": "application/json" }),
          ...headers,
        },
        body: text,
        signal: signal ? AbortSignal.any([signal, late]) : late,
      });
      if (blob && response.ok) return await response.blob();
      answer = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const why = late.aborted ? "no answer came in time" : (cause.cause ?? cause).message;
      throw new JobcastError(`Could not reach ${this.#url}: ${why}.`, {
        code: "UNREACHABLE",
        temporary: true,
        cause,
      });
    }
    return opened(response, answer);
  }

  #address(path, query) {
    const given = Object.entries(query ?? {}).filter(([, value]) => value != null);
    const search = given.length ? `?${new URLSearchParams(given)}` : "";
    return `${this.#url}/api/${path.replace(/^\//, "")}${search}`;
  }
}

function opened(response, text) {
  const { ok, status } = response;
  let envelope = null;
  try {
    envelope = status === 204 ? {} : JSON.parse(text);
  } catch {
    // what a proxy says, for example
  }
  if (ok && typeof envelope === "object" && envelope !== null) return envelope;
  const { message, code, errors } = envelope ?? {};
  const retryAfter = Number(response.headers.get("retry-after") ?? envelope?.retryAfter ?? NaN);
  throw new JobcastError(message ?? `What answers is not a Jobcast server (status ${status}).`, {
    status,
    code: code ?? "BAD_ANSWER",
    details: errors,
    requestId: response.headers.get("x-request-id"),
    retryAfter: retryAfter >= 0 ? retryAfter : null,
    temporary: status === 429 || status >= 500,
  });
}

const mayRepeat = ({ status }, repeatable) =>
  status === 429 || status === 503 || (repeatable && [null, 502, 504].includes(status));

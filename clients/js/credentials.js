// Who calls: an API key, a token, or what gives fresh tokens.

import { JobcastError } from "./errors.js";

export class Credentials {
  #apiKey;
  #token;
  #getToken;
  #refresh;
  #renewing = null;
  #guest;
  #trade;
  #tell;

  /** `trade` gives the successors of a refresh token; they are told to `tell`. */
  constructor({ apiKey, token, getToken, refresh, watchToken, guest }, { trade, tell }) {
    this.#guest = guest;
    this.#apiKey = apiKey;
    this.#token = token ?? watchToken;
    this.#getToken = getToken;
    this.#refresh = refresh;
    this.#trade = trade;
    this.#tell = tell;
  }

  /** Whether a token that is refused can be replaced. */
  get renewable() {
    return Boolean(this.#getToken ?? this.#refresh);
  }

  /** The token to use, fetched if there is none yet; undefined where there is a key, or nothing. */
  async token() {
    if (this.#token === undefined && this.renewable) await this.renew(undefined);
    return this.#token;
  }

  headers(token) {
    if (token !== undefined) return { Authorization: `Bearer ${token}` };
    return this.#apiKey === undefined ? {} : { "X-API-Key": this.#apiKey };
  }

  /** What a socket's address says of who calls: only guests stand there, secrets never. */
  get query() {
    return this.#guest === undefined ? "" : `?guest=${encodeURIComponent(this.#guest)}`;
  }

  /** The first command of a socket; none for a guest. */
  frame(token) {
    if (token !== undefined) return { type: "auth", token };
    if (this.#apiKey !== undefined) return { type: "auth", key: this.#apiKey };
    if (this.#guest !== undefined) return null;
    throw new JobcastError("Give Jobcast an apiKey, token, getToken, refresh or watchToken.", {
      code: "UNAUTHORIZED",
    });
  }

  /** Replaces the token `stale`, once for all who ask at the same time. */
  async renew(stale) {
    if (this.#token !== stale) return; // it has just been done
    this.#renewing ??= this.#fresh(stale).finally(() => (this.#renewing = null));
    await this.#renewing;
  }

  async #fresh(stale) {
    const token = this.#getToken ? await this.#getToken(stale) : await this.#traded();
    if (typeof token !== "string" || !token)
      throw new JobcastError("getToken() gave no token.", { code: "UNAUTHORIZED" });
    this.#token = token;
  }

  async #traded() {
    const given = typeof this.#refresh === "function" ? await this.#refresh() : this.#refresh;
    const tokens = await this.#trade(given);
    if (typeof this.#refresh !== "function") this.#refresh = tokens.refreshToken;
    this.#tell(tokens);
    return tokens.accessToken;
  }
}

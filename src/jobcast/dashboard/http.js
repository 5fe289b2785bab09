// Requests to the server, with the key of whoever signed in.

export const session = { key: null };

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Relative to the page, so that it also works where Jobcast is mounted below a path. */
export const address = (path) => new URL(path, document.baseURI);

/** The response, if its status is 2xx; else throws Refused with the server's own words. */
export async function request(path, options = {}) {
  const headers = { ...options.headers, "X-API-Key": session.key };
  const response = await fetch(address(path), { ...options, headers });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(body.message ?? `The server answered ${response.status}`, response.status);
}

/** The `data` of a successful answer. */
export const get = async (path) => (await (await request(path)).json()).data;

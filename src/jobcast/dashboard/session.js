// Who is signed in: their key or login, what they may do, and the one client of this page.

import { Jobcast } from "./sdk/index.js";

const STORED = "jobcast.session";

/** `me` as GET /api/auth/me gives it; null where nobody is signed in. */
export const session = { me: null, client: null };

/** Where the page is served from; it also works where Jobcast is mounted below a path. */
const url = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** Tells "signed-in", "signed-out" (why), "connection" (as the SDK says), "job" (its event). */
export const news = new EventTarget();

const tell = (type, detail) => news.dispatchEvent(new CustomEvent(type, { detail }));

export const isService = () => session.me?.kind === "service";
export const isUser = () => session.me?.kind === "user";
export const can = (scope) => isService() || Boolean(session.me?.scopes.includes(scope));

// -- requests

/** A request of nobody: signing in, registering. */
export const post = (path, body) => new Jobcast({ url }).request("POST", path, { body });

/** What `ask` gets from the client; who is no longer known is signed out. */
async function inside(ask) {
  const { client } = session;
  try {
    return await ask(client);
  } catch (error) {
    if (error.status === 401 && client === session.client) expire();
    throw error;
  }
}

/** The `data` of an answer. */
export const request = (method, path, options) =>
  inside((client) => client.request(method, path, options));

/** One page of a list: {items, meta}. */
export const list = (path, query) => inside((client) => client.page(path, { query }));

export const get = (path, query) => request("GET", path, { query });
export const send = (method, path, body) => request(method, path, { body });

/**
 * Makes jobs at `path`. A body that is sent again is the same submission: after a lost answer that
 * is done here, later by whoever presses the button once more.
 */
export function submitter(path) {
  let sent = {};
  return (given) => {
    const body = typeof given === "string" ? given : JSON.stringify(given);
    if (sent.body !== body) sent = { body, key: randomKey() };
    const headers = { "Idempotency-Key": sent.key };
    return request("POST", path, { body, headers, repeatable: true });
  };
}

// crypto.randomUUID is missing on plain http:// addresses other than localhost.
const randomKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// -- what is kept
// {key} or {refreshToken}: for this tab, or where people chose so for this browser.

const stores = () => [sessionStorage, localStorage];
const holder = () => stores().find((store) => store.getItem(STORED)) ?? sessionStorage;
const stored = () => JSON.parse(holder().getItem(STORED));

function keep(credentials, store) {
  for (const one of stores()) if (one !== store) one.removeItem(STORED);
  store.setItem(STORED, JSON.stringify(credentials));
}

function forget() {
  for (const store of stores()) store.removeItem(STORED);
}

// -- in and out

/** With `{key}` or `{tokens}`; kept for this browser where `remember`, else for this tab. */
export async function signIn({ key, tokens }, { remember = false } = {}) {
  const store = remember ? localStorage : sessionStorage;
  if (tokens) keep({ refreshToken: tokens.refreshToken }, store);
  await open({ key, token: tokens?.accessToken });
  if (key) keep({ key }, store);
  tell("signed-in");
}

/** As whoever was signed in before; false where nobody was. */
export async function resume() {
  const known = stored();
  if (known) await open(known);
  return known !== null;
}

async function open({ key, token }) {
  close();
  // Tabs share a login: each trades the newest refresh token that any of them has kept.
  const login = { token, refresh: () => stored()?.refreshToken ?? "" };
  const client = new Jobcast({ url, ...(key ? { apiKey: key } : login) });
  client.on("tokens", ({ refreshToken }) => keep({ refreshToken }, holder()));
  const me = await client.request("GET", "/auth/me");
  Object.assign(session, { client, me });
  client.on("connection", (connection) => {
    tell("connection", connection);
    if (connection.error?.code === "UNAUTHORIZED") expire();
  });
  if (can("jobs:read")) listen(client);
}

// All pages share it, so the socket stays open from one to the next.
async function listen(client) {
  try {
    for await (const event of client.events()) tell("job", event);
  } catch {
    // Refused for good: "connection" has told why.
  }
}

function close() {
  session.client?.close();
  Object.assign(session, { client: null, me: null });
}

export const expire = () => leave("Your session has ended: sign in again.");

function leave(why) {
  forget();
  close();
  tell("signed-out", why);
}

/** Ends it here and in the other tabs; a login at the server, too. */
export async function signOut() {
  const refreshToken = stored()?.refreshToken;
  leave("");
  if (refreshToken) await post("/auth/logout", { refreshToken }).catch(() => {}); // it ends by itself, later
}

addEventListener("storage", ({ key, newValue }) => {
  if (key === STORED && newValue === null && session.client && !stored())
    leave("Signed out in another tab.");
});

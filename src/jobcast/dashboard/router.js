// Addresses of pages: `#/jobs?status=FAILED`. What a page shows can be linked, reloaded, gone back to.

/** The place that the address bar names: {path: ["jobs", id], query}. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: new URLSearchParams(query),
  };
}

/** The address of a place; empty values are left out. */
export function address(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(pairs).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search && "?"}${search}`;
}

export function go(path, query) {
  location.hash = address(path, query);
}

/** The same page with another query: without a step in the history where `replace`. */
export function requery(query, { replace = false } = {}) {
  const next = address(here().path, query);
  if (next === location.hash) return;
  if (!replace) location.hash = next;
  else {
    history.replaceState(null, "", next);
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

/** Takes what is secret out of the address bar; the page stays. */
export function conceal() {
  history.replaceState(null, "", address(here().path));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

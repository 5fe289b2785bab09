// The frame around the pages: navigation, who is signed in, the connection.

import { h, say } from "./dom.js";
import { address, go, here } from "./router.js";
import { can, expire, news, resume, session, signIn, signOut } from "./session.js";
import { beat, empty, head, icon, link } from "./ui.js";

const OPEN = "open";
const $ = (id) => document.getElementById(id);

// Address → [module, its export, the scope that one needs to see it, or "" for everyone inside].
const PAGES = {
  "": ["overview", "page", "jobs:read"],
  jobs: ["jobs", "page", "jobs:read"],
  "jobs/": ["job", "page", "jobs:read"],
  submit: ["submit", "page", "jobs:write"],
  schedules: ["schedules", "page", "jobs:read"],
  channels: ["channels", "page", "channels"],
  "channels/": ["channel", "page", "channels"],
  webhooks: ["webhooks", "page", "jobs:read"],
  settings: ["settings", "page", ""],
  "settings/": ["settings", "page", ""],
  "sign-in": ["doors", "signIn", OPEN],
  register: ["doors", "register", OPEN],
  forgotten: ["doors", "forgotten", OPEN],
  reset: ["doors", "reset", OPEN],
};

const NAV = [
  ["", "Overview", "M4 13h6V4H4zm10 7h6V11h-6zM4 20h6v-3H4zM14 4v3h6V4z"],
  ["jobs", "Jobs", "M4 6h16M4 12h16M4 18h10"],
  ["schedules", "Schedules", "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18"],
  ["channels", "Channels", "M4 5h16v11H9l-5 4z"],
  ["webhooks", "Webhooks", "M9 15l6-6M10 6l2-2a5 5 0 0 1 7 7l-2 2M14 18l-2 2a5 5 0 0 1-7-7l2-2"],
  ["settings", "Settings", "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4"],
];

// -- showing a page

let shown = null; // {key, leave, update}

const placeOf = ([name = "", ...rest]) => PAGES[rest.length ? `${name}/` : name];
const isOpen = () => placeOf(here().path)?.[2] === OPEN;

async function route({ anew = false } = {}) {
  if (location.hash.startsWith("#key=")) return enterByLink();
  const { path, query } = here();
  const [module, name, scope] = placeOf(path) ?? [];
  if (!session.me && scope !== OPEN)
    return go(["sign-in"], { next: path.length ? location.hash : "" });
  if (session.me && name === "signIn") return go([]);
  const key = path.join("/");
  if (!anew && shown?.key === key && shown.update) return shown.update(query);
  if (stale) return location.reload();
  shown?.leave.abort();
  const first = shown === null;
  const { signal } = (shown = { key, leave: new AbortController() }).leave;
  setMenu(false);
  mark(path[0] ?? "");
  const main = h("main", { id: "main", tabIndex: -1 });
  if (!module)
    main.append(head("Not found"), empty("There is no such page.", link("To the overview", [])));
  else if (scope && scope !== OPEN && !can(scope)) {
    main.append(
      head("Not for you"),
      empty("You may not see this.", `It needs the scope ${scope}.`),
    );
  } else {
    try {
      const page = (await import(`./pages/${module}.js`))[name];
      if (signal.aborted) return;
      document.title = `${page.title} · Jobcast`;
      shown.update = page.show(main, { path, query, signal }) ?? null;
    } catch (error) {
      if (signal.aborted) return;
      main.append(head("This page can't be shown"), empty(error.message, "Reload to try again."));
    }
  }
  $("main").replaceWith(main);
  scrollTo(0, 0);
  if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
}

// A page of one release never loads parts of another: after an upgrade the next step reloads it.
let release = null;
let stale = false;

async function checkRelease() {
  const answer = await fetch(document.baseURI, { method: "GET", cache: "no-cache" }).catch(
    () => null,
  );
  const found = answer?.ok ? answer.headers.get("etag") : null;
  release ??= found;
  stale = found !== null && found !== release;
}

function mark(name) {
  for (const node of $("nav").querySelectorAll("a")) {
    if (node.dataset.page === name) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
}

// -- the frame

function drawFrame() {
  const inside = session.me !== null;
  document.body.classList.toggle("inside", inside);
  $("side").hidden = !inside;
  $("menu").hidden = !inside;
  if (!inside) return;
  const items = NAV.filter(([name]) => !PAGES[name][2] || can(PAGES[name][2]));
  $("nav").replaceChildren(
    ...items.map(([name, label, path]) =>
      h("li", h("a", { href: address(name ? [name] : []), "data-page": name }, icon(path), label)),
    ),
  );
  const { me } = session;
  say($("who"), me.email ?? me.name ?? (me.kind === "service" ? "Service key" : "API key"));
  say($("tenant"), `Tenant ${me.tenantId}`);
}

const setMenu = (open) => $("menu").setAttribute("aria-expanded", String(open));

const STATES = {
  open: "Live",
  connecting: "Connecting…",
  waiting: "Connection lost, trying again…",
};

function drawConnection({ state, error }) {
  const refused = state === "closed" && error;
  $("connection").dataset.state = refused ? "refused" : state;
  say($("connection"), refused ? error.message : (STATES[state] ?? ""));
}

function bindTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () =>
    (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const draw = () => say($("theme"), isDark() ? "Light theme" : "Dark theme");
  $("theme").onclick = () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("jobcast.theme", next);
    draw();
  };
  dark.addEventListener("change", draw);
  draw();
}

// -- in and out

async function enterByLink() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  history.replaceState(null, "", "#/");
  try {
    await signIn({ key });
  } catch (error) {
    go(["sign-in"], { problem: error.message });
  }
}

news.addEventListener("signed-in", () => {
  drawFrame();
  const next = here().query.get("next");
  if (isOpen()) location.hash = next?.startsWith("#/") ? next : "#/";
  else route({ anew: true });
});

news.addEventListener("signed-out", ({ detail }) => {
  shown?.leave.abort();
  shown = null;
  drawFrame();
  if (isOpen()) return;
  go(["sign-in"], { problem: detail, next: detail && here().path.length ? location.hash : "" });
});

news.addEventListener("connection", ({ detail }) => {
  drawConnection(detail);
  if (detail.state === "open") checkRelease();
});
addEventListener("hashchange", () => route());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) session.client?.pause();
  else session.client?.resume();
});
$("menu").onclick = () => setMenu($("menu").getAttribute("aria-expanded") !== "true");
$("skip").onclick = (event) => {
  event.preventDefault(); // the address names the page
  $("main").focus();
};
$("sign-out").onclick = () => signOut();
setInterval(() => document.hidden || beat(), 1000);
bindTheme();

async function begin() {
  import(`./pages/${placeOf(here().path)?.[0] ?? "overview"}.js`).catch(() => {}); // while we ask who it is
  if (location.hash.startsWith("#key=")) return enterByLink();
  try {
    if (await resume()) drawFrame();
  } catch (error) {
    if (error.status === 401) return expire();
    // The server is away or starting: what is kept stays, and is tried again.
    say($("main"), `${error.message}. Trying again…`);
    setTimeout(begin, 2000);
    return;
  }
  route();
}

begin();

// The page: signs in, holds the connection, lists the last jobs.

import { $, badge, clock, element } from "./dom.js";
import { bindForm, showTypes } from "./form.js";
import { address, get, session } from "./http.js";
import { isShown, line, show, showEvent, useConnection } from "./job.js";
import { Live } from "./live.js";

const KEY = "jobcast.key";
const LIST_LENGTH = 20;

const jobs = new Map(); // id → job, for the list
let live = null;

// ── signing in and out ──────────────────────────────────────────────────────────────────────

function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(KEY);
}

async function signIn(given) {
  signOut();
  session.key = given;
  try {
    const me = await get("api/auth/me").catch(withoutUser); // alone: a wrong key is tried once
    const [list, known] = await Promise.all([
      get(`api/jobs?limit=${LIST_LENGTH}`),
      get("api/job-types"),
    ]);
    if (session.key !== given) return;
    sessionStorage.setItem(KEY, given);
    showTypes(known);
    for (const job of list) jobs.set(job.id, job);
    drawList();
    connect(me.tenantId ?? list[0]?.tenantId);
  } catch (error) {
    if (session.key !== given) return;
    if (error.status === 401) sessionStorage.removeItem(KEY);
    else $("key").value = given; // nothing is wrong with it: try again
    return askForKey(error.message);
  }
  $("sign-in").hidden = true;
  $("work").hidden = $("sign-out").hidden = false;
}

// A key that belongs to no user can still work.
function withoutUser(error) {
  if (error.status === 401) throw error;
  return {};
}

function signOut() {
  live?.stop();
  live = session.key = null;
  useConnection(null);
  jobs.clear();
}

function askForKey(problem = "") {
  $("work").hidden = $("sign-out").hidden = true;
  $("sign-in").hidden = false;
  $("key-error").textContent = problem;
  showConnection("idle", "Not signed in");
  $("key").focus();
}

function connect(tenantId) {
  const url = address("ws");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  live = new Live(url.href, session.key, {
    state: connectionChanged,
    job: (event) => isShown(event.jobId) && showEvent(event),
    tenant: updateList,
    gap: ({ jobId, from, to }) => {
      if (isShown(jobId)) line(`Events ${from} to ${to} can't be replayed`, "warning");
    },
  });
  useConnection(live);
  live.start();
  if (tenantId) live.watchTenant(tenantId);
}

function connectionChanged(state, detail) {
  if (state === "refused") {
    sessionStorage.removeItem(KEY);
    signOut();
    askForKey(detail || "The key was refused");
  } else if (state === "live") showConnection(state, "Live");
  else if (state === "connecting") showConnection(state, "Connecting…");
  else if (state === "waiting") showConnection(state, "Connection lost, trying again…");
  else showConnection(state, `Closed by the server: ${detail || "reload to try again"}`);
}

function showConnection(state, words) {
  $("connection").dataset.state = state;
  $("connection").textContent = words;
}

// ── the list of the last jobs ───────────────────────────────────────────────────────────────

function updateList(event) {
  const known = jobs.get(event.jobId);
  if (known && event.seq < known.seq) return;
  const job = known ?? { id: event.jobId, type: event.jobType, createdAt: event.at };
  jobs.set(event.jobId, { ...job, status: event.status, seq: event.seq });
  if (!known || known.status !== event.status) drawList();
}

function drawList() {
  const newest = [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  for (const job of newest.splice(LIST_LENGTH)) jobs.delete(job.id);
  const focused = document.activeElement?.dataset?.job;
  $("jobs").replaceChildren(...newest.map(listItem));
  $("no-jobs").hidden = newest.length > 0;
  if (focused) $("jobs").querySelector(`[data-job="${CSS.escape(focused)}"]`)?.focus();
}

function listItem(job) {
  const button = element("button", { type: "button", className: "job" });
  button.dataset.job = job.id;
  if (isShown(job.id)) button.setAttribute("aria-current", "true");
  const when = element("time", { dateTime: job.createdAt, textContent: clock(job.createdAt) });
  button.append(badge(job.status), element("span", { textContent: job.type }), when);
  button.onclick = () => open(job.id);
  const item = element("li");
  item.append(button);
  return item;
}

async function open(id) {
  try {
    select(await get(`api/jobs/${encodeURIComponent(id)}`));
    live.watch(id, 0); // its whole story, then live
    $("job").focus();
  } catch (error) {
    $("submit-error").textContent = error.message;
  }
}

function select(job) {
  show(job);
  const known = jobs.get(job.id);
  if (!(known?.seq > job.seq)) jobs.set(job.id, job);
  drawList();
}

// ── where it begins ─────────────────────────────────────────────────────────────────────────

bindForm(async (job) => select(await live.submit(job)));
$("key-form").onsubmit = (event) => {
  event.preventDefault();
  const given = $("key").value.trim();
  $("key").value = "";
  if (given) signIn(given);
  else askForKey("Paste a key first.");
};
$("sign-out").onclick = () => {
  sessionStorage.removeItem(KEY);
  signOut();
  askForKey();
};
addEventListener("online", () => live?.hurry());
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#key=")) signIn(keyFromAddress());
});

const remembered = keyFromAddress();
if (remembered) signIn(remembered);
else askForKey();

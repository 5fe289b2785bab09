// One job, live: its status, progress, output, result, files and events.

import { $, atEnd, clock, element, pretty } from "./dom.js";
import { get, request } from "./http.js";

const MOST_LINES = 500;
const MOST_OUTPUT = 200_000; // characters
const ENDED = new Set(["DONE", "FAILED", "CANCELLED"]);

let live = null;
let shown = null; // {id, status, attempt, seq}

/** From now on commands go over this connection; null hides the job. */
export function useConnection(connection) {
  live = connection;
  shown = null;
  $("job").hidden = true;
}

export const isShown = (id) => shown !== null && shown.id === id;

export function show(job) {
  if (shown && shown.id !== job.id) live.unwatch(shown.id);
  shown = { id: job.id, status: "", attempt: 0, seq: 0 };
  $("job").hidden = false;
  $("job-title").textContent = job.type;
  $("job-id").textContent = job.id;
  $("job-payload").textContent = pretty(job.payload ?? {});
  $("events").replaceChildren();
  $("job-problem").textContent = "";
  $("result-box").hidden = $("files-box").hidden = true;
  clearAttempt();
  showStatus(job.status);
}

function clearAttempt() {
  $("output").textContent = "";
  $("output-box").hidden = $("progress-box").hidden = true;
}

/** Takes the events of the shown job in the order of seq. */
export function showEvent(event) {
  // Output and progress of an earlier attempt are void.
  if (event.attempt > shown.attempt) {
    shown.attempt = event.attempt;
    clearAttempt();
  }
  shown.seq = event.seq;
  if (event.status !== shown.status) showStatus(event.status);
  $("job-attempt").textContent = shown.attempt ? `attempt ${shown.attempt}` : "";
  const at = event.at;
  switch (event.type) {
    case "job:log":
      return line(event.message, event.level, at);
    case "job:progress":
      return showProgress(event);
    case "job:output":
      return showOutput(event.data);
    case "job:pending":
      $("job-problem").textContent = "";
      $("result-box").hidden = $("files-box").hidden = true;
      return line("Waiting for a worker", "status", at);
    case "job:processing":
      return line(`Attempt ${event.attempt} started`, "status", at);
    case "job:retrying":
      return line(`${event.error}; next attempt at ${clock(event.retryAt)}`, "warning", at);
    case "job:done":
      $("result").textContent = pretty(event.result);
      $("result-box").hidden = false;
      $("progress-box").hidden = true;
      line("Done", "status", at);
      return showFiles(event.jobId);
    case "job:failed":
      $("job-problem").textContent = event.error;
      line(`Failed: ${event.error}`, "error", at);
      return showFiles(event.jobId);
    case "job:cancelled":
      line("Cancelled", "warning", at);
      return showFiles(event.jobId);
  }
}

function showStatus(status) {
  shown.status = status;
  $("job-status").textContent = status;
  $("job-status").dataset.status = status;
  $("cancel").hidden = ENDED.has(status);
  $("retry").hidden = status !== "FAILED" && status !== "CANCELLED";
  $("cancel").disabled = $("retry").disabled = false;
}

function showProgress({ percent, note }) {
  $("progress-box").hidden = false;
  $("progress").value = percent;
  $("progress-note").textContent = [`${Math.round(percent)} %`, note].filter(Boolean).join(": ");
}

function showOutput(piece) {
  const text = typeof piece === "string" ? piece : piece?.token;
  const box = $("output");
  const follows = atEnd(box);
  box.append(typeof text === "string" ? text : `${JSON.stringify(piece)}\n`);
  if (box.childNodes.length > 1000) box.textContent = box.textContent.slice(-MOST_OUTPUT);
  $("output-box").hidden = false;
  if (follows) box.scrollTop = box.scrollHeight;
}

export function line(text, level = "info", at = new Date().toISOString()) {
  const list = $("events");
  const follows = atEnd(list);
  const item = element("li");
  item.dataset.level = level;
  item.append(
    element("time", { dateTime: at, textContent: clock(at) }),
    element("span", { textContent: text }),
  );
  list.append(item);
  if (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

async function showFiles(id) {
  const path = `api/jobs/${encodeURIComponent(id)}/files`;
  try {
    const files = await get(path);
    if (shown?.id !== id) return;
    $("files-box").hidden = files.length === 0;
    $("files").replaceChildren(
      ...files.map(({ name }) => {
        const button = element("button", { type: "button", className: "link", textContent: name });
        button.onclick = () => download(`${path}/${encodeURIComponent(name)}`, name);
        const item = element("li");
        item.append(button);
        return item;
      }),
    );
  } catch (error) {
    if (shown?.id === id) line(`The files can't be listed: ${error.message}`, "warning");
  }
}

// A plain link would go without the key.
async function download(path, name) {
  try {
    const url = URL.createObjectURL(await (await request(path)).blob());
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    line(`${name} can't be fetched: ${error.message}`, "warning");
  }
}

async function cancelShown() {
  $("cancel").disabled = true;
  try {
    await live.cancel(shown.id);
    line("Asked to cancel", "status");
  } catch (error) {
    $("cancel").disabled = false;
    $("job-problem").textContent = error.message;
  }
}

async function retryShown() {
  const { id, seq } = shown;
  $("retry").disabled = true;
  try {
    await request(`api/jobs/${encodeURIComponent(id)}/retry`, { method: "POST" });
    if (shown?.id === id) live.watch(id, seq); // its seq goes on
  } catch (error) {
    $("retry").disabled = false;
    $("job-problem").textContent = error.message;
  }
}

$("cancel").onclick = cancelShown;
$("retry").onclick = retryShown;

// One job, live: its runs, log, progress, output, files, input, result, webhooks.

import { changeOne } from "../bulk.js";
import { h, say } from "../dom.js";
import { ask } from "../form.js";
import { bytes, clock, pretty, span } from "../format.js";
import { onJob, onJobs, poll } from "../live.js";
import { payloadField } from "../payload.js";
import { go } from "../router.js";
import { can, get, isService, send, session } from "../session.js";
import {
  badge,
  button,
  card,
  confirm,
  copy,
  empty,
  head,
  link,
  moment,
  problem,
  quiet,
  since,
  small,
  table,
  toast,
} from "../ui.js";
import { waterfall } from "../waterfall.js";

const MOST_LINES = 1000;
const MOST_OUTPUT = 200_000; // characters
const ENDED = new Set(["DONE", "FAILED", "CANCELLED"]);
const EVERY_MS = 30_000;

export const page = {
  title: "Job",
  show(main, { path: [, id], signal }) {
    const handle = session.client.job(id);
    const fault = problem();
    const title = h("h1", { tabIndex: -1 }, "Job");
    const status = h("span", { role: "status" });
    const acts = h("div", { class: "row" });
    const facts = h("dl", { class: "facts" });
    const progress = progressBar();
    const error = h("pre", { class: "error-text" });
    const runs = waterfall();
    const log = scroller(
      h("ol", { class: "log", tabIndex: 0, "aria-label": "Log" }),
      `jobcast logs ${id}`,
    );
    const output = scroller(
      h("pre", { class: "output", tabIndex: 0, "aria-label": "Output" }),
      `GET /api/jobs/${id}/output`,
    );
    const payload = h("pre", { tabIndex: 0, "aria-label": "Payload" });
    const result = h("pre", { tabIndex: 0, "aria-label": "Result" });
    const files = fileTable(handle);
    const hooks = hookTable(handle, () => refresh());
    const boxes = {
      error: card("Error", error),
      output: card("Output", output.cut, output.node),
      result: card("Result", result),
      files: card("Files", files.node),
      hooks: card("Webhook deliveries", hooks.node),
    };
    for (const box of Object.values(boxes)) box.hidden = true;
    main.append(
      h(
        "div",
        { class: "head" },
        h("div", title, h("p", { class: "row soft id" }, h("code", id), copy(id))),
        status,
        acts,
      ),
      fault.node,
      progress.node,
      boxes.error,
      facts,
      card("Attempts", runs.node),
      h("div", { class: "columns" }, card("Log", log.cut, log.node), boxes.output),
      h("div", { class: "columns" }, card("Payload", payload), boxes.result),
      boxes.files,
      boxes.hooks,
    );

    let shown = null; // the job as last fetched
    let seq = 0;
    let attempt = 0;
    let watching = false;

    function drawStatus(now) {
      if (status.dataset.status === now) return;
      status.dataset.status = now;
      status.replaceChildren(badge(now));
      drawActs(now);
    }

    function drawActs(now) {
      if (!can("jobs:write") || !shown) return acts.replaceChildren();
      const again = now === "FAILED" || now === "CANCELLED";
      const focused = acts.contains(document.activeElement);
      acts.replaceChildren(
        ...[
          again && button("Retry", () => handle.retry().then(watch)),
          again && quiet("Retry with edited input…", () => edited(shown, watch)),
          !ENDED.has(now) &&
            quiet("Cancel", () => handle.cancel().then(() => toast("Asked to cancel")), {
              class: "quiet danger",
            }),
          ENDED.has(now) && quiet("Delete", erase, { class: "quiet danger" }),
        ].filter(Boolean),
      );
      if (focused) acts.querySelector("button")?.focus();
    }

    async function erase() {
      if (!(await confirm("Delete this job", "It goes with its log, output and files.", "Delete")))
        return;
      await changeOne("delete", shown);
      toast("Deleted");
      go(["jobs"]);
    }

    const load = async () => {
      const [found, deliveries, saved] = await Promise.all([
        handle.show(),
        handle.webhookLogs(),
        handle.files(),
      ]);
      if (signal.aborted) return;
      const first = shown === null;
      shown = found;
      document.title = `${found.type} · Jobcast`;
      say(title, found.type);
      say(payload, pretty(found.payload ?? {}));
      if (first || found.seq >= seq) {
        drawStatus(found.status);
        say(error, found.error ?? "");
        boxes.error.hidden = !found.error;
        boxes.result.hidden = found.status !== "DONE";
        say(result, pretty(found.result));
        drawActs(found.status);
      }
      drawFacts(facts, found);
      boxes.files.hidden = saved.length === 0;
      files.update(saved);
      boxes.hooks.hidden = !found.webhookUrl;
      hooks.update(deliveries);
      if (first) watch();
    };
    const failed = (problem) => {
      if (problem?.status === 404)
        main.replaceChildren(
          head("Job not found"),
          empty(
            "There is no such job.",
            "It may have been deleted, or belong to someone else. ",
            link("All jobs", ["jobs"]),
          ),
        );
      else fault.show(problem);
    };
    const refresh = poll(signal, load, failed, { every: EVERY_MS });

    // Its whole story, then live; a retry goes on where it ended.
    async function watch() {
      if (watching) return;
      watching = true;
      await onJob(signal, id, seq, take, (problem) => fault.show(problem));
      watching = false;
    }
    onJobs(signal, (event) => event.jobId === id && event.seq > seq && watch());
    const ticking = setInterval(() => document.hidden || runs.draw(), 1000);
    signal.addEventListener("abort", () => clearInterval(ticking));

    function take(event) {
      if (event.type === "gap")
        return log.add(
          line(`Events ${event.from} to ${event.to} can't be shown any more`, "warning"),
        );
      seq = event.seq;
      if (event.attempt > attempt) {
        // Output and progress of an earlier attempt are void.
        attempt = event.attempt;
        output.node.replaceChildren();
        output.cut.hidden = true;
        boxes.output.hidden = true;
        progress.clear();
      }
      runs.take(event);
      if (event.status !== status.dataset.status) {
        drawStatus(event.status);
        refresh.soon();
      }
      if (event.type === "job:progress") progress.show(event);
      else if (event.type === "job:output") {
        boxes.output.hidden = false;
        write(output, event.data);
      } else log.add(line(words(event), event.level ?? LEVELS[event.type] ?? "status", event.at));
      if (ENDED.has(event.status)) progress.clear();
    }
  },
};

const LEVELS = { "job:retrying": "warning", "job:failed": "error", "job:cancelled": "warning" };

function words(event) {
  switch (event.type) {
    case "job:log":
      return event.message;
    case "job:pending":
      return "Waiting for a worker";
    case "job:processing":
      return `Attempt ${event.attempt} started`;
    case "job:retrying":
      return `${event.error.replace(/\.$/, "")}; next attempt at ${clock(event.retryAt)}`;
    case "job:done":
      return "Done";
    case "job:failed":
      return `Failed: ${event.error}`;
    case "job:cancelled":
      return "Cancelled";
    default:
      return event.type;
  }
}

const line = (text, level, at = new Date().toISOString()) =>
  h("li", { "data-level": level }, moment(at), h("span", text));

/** A box that stays at its end while it is there; `cut` says where `all` is when it lost its start. */
function scroller(node, all) {
  const cut = h(
    "p",
    { class: "soft", hidden: true },
    "This is the end of it. Where all of it is: ",
    h("code", all),
  );
  let planned = false;
  const follow = () => {
    if (planned) return;
    planned = true;
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    requestAnimationFrame(() => {
      planned = false;
      if (atEnd) node.scrollTop = node.scrollHeight;
    });
  };
  return {
    node,
    cut,
    follow,
    add(item) {
      follow();
      node.append(item);
      if (node.childElementCount <= MOST_LINES) return;
      node.firstElementChild.remove();
      cut.hidden = false;
    },
  };
}

function write({ node, cut, follow }, piece) {
  const token = typeof piece === "string" ? piece : piece?.token;
  follow();
  if (!node.firstChild) node.append("");
  const text = node.firstChild;
  text.appendData(typeof token === "string" ? token : `${JSON.stringify(piece)}\n`);
  if (text.length <= MOST_OUTPUT) return;
  text.deleteData(0, text.length - MOST_OUTPUT / 2);
  cut.hidden = false;
}

function progressBar() {
  const bar = h("progress", { max: 100, value: 0, "aria-label": "Progress" });
  const note = h("span", { class: "soft" });
  const node = h("div", { class: "progress", hidden: true }, bar, note);
  return {
    node,
    show({ percent, note: text }) {
      node.hidden = false;
      bar.value = percent;
      say(note, [`${Math.round(percent)} %`, text].filter(Boolean).join(" · "));
    },
    clear: () => (node.hidden = true),
  };
}

function drawFacts(node, job) {
  const ran =
    job.startedAt && Date.parse(job.finishedAt ?? job.updatedAt) - Date.parse(job.startedAt);
  const rows = [
    ["Queue", link(job.queue, ["jobs"], { queue: job.queue })],
    ["Attempts", `${job.attempts} of ${job.maxAttempts}`],
    ["Priority", job.priority],
    ["Created", since(job.createdAt)],
    Date.parse(job.runAt) > Date.now() && ["Due", since(job.runAt)],
    job.startedAt && ["Started", moment(job.startedAt)],
    job.finishedAt && ["Ended", since(job.finishedAt)],
    job.finishedAt && job.startedAt && ["Last run", span(ran)],
    job.tags.length && ["Tags", job.tags.map((tag) => [link(tag, ["jobs"], { tag }), " "])],
    isService() && ["Tenant", link(job.tenantId, ["jobs"], { tenantId: job.tenantId })],
    job.userId && [
      "User",
      link(job.userId === session.me.id ? "You" : `…${job.userId.slice(-8)}`, ["jobs"], {
        userId: job.userId,
      }),
    ],
    job.channel && ["Channel", link(job.channel, ["channels", job.channel])],
    job.webhookUrl && [
      "Webhook",
      h("span", { class: "clip", title: job.webhookUrl }, job.webhookUrl),
    ],
  ];
  node.replaceChildren(
    ...rows.filter(Boolean).map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );
}

function fileTable(handle) {
  // A plain link would go without the credentials.
  const download = (name) => async () => {
    const href = URL.createObjectURL(await handle.file(name));
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  };
  return table(
    "Files",
    [
      { label: "Name", cell: ({ name }) => name },
      { label: "Kind", class: "low", cell: ({ contentType }) => contentType },
      { label: "Size", class: "number", cell: ({ size }) => bytes(size) },
      {
        label: "Download",
        hidden: true,
        class: "acts",
        cell: ({ name }) => small("Download", download(name), name),
      },
    ],
    { key: ({ name }) => name },
  );
}

function hookTable(handle, changed) {
  const again =
    ({ deliveryId }) =>
    async () => {
      await handle.redeliver(deliveryId);
      toast("It is sent again");
      changed();
    };
  return table(
    "Webhook deliveries",
    [
      { label: "Attempt", class: "number", cell: ({ attempt }) => attempt },
      {
        label: "Answer",
        cell: ({ success, statusCode, error }) =>
          [
            badge(success ? "DONE" : "FAILED", statusCode ?? "No answer"),
            error && h("span", { class: "soft" }, ` ${error}`),
          ].filter(Boolean),
      },
      { label: "Address", class: "wrap low", cell: ({ url }) => url },
      { label: "When", class: "low", cell: ({ createdAt }) => since(createdAt) },
      ...(can("jobs:write")
        ? [
            {
              label: "Send again",
              hidden: true,
              class: "acts",
              cell: (row) => small("Redeliver", again(row), `attempt ${row.attempt}`),
            },
          ]
        : []),
    ],
    { none: () => empty("Nothing was sent yet.", "The webhook is called when the job ends.") },
  );
}

function edited(job, retried) {
  const payload = payloadField("payload", { value: job.payload ?? {} });
  get("/job-types").then(
    (types) => payload.use(types.find(({ type }) => type === job.type)?.schema),
    () => {}, // hints are a help, no more
  );
  const retry = () => send("POST", `/jobs/${job.id}/retry`, `{"payload":${payload.text()}}`);
  return ask("Retry with edited input", [payload], "Retry", retry).then(
    (done) => done && retried(),
  );
}

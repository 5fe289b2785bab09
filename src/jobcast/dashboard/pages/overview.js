// How things stand: counts, the last hours as plots, queues, workers, what failed lately.

import { h, keyed, say } from "../dom.js";
import { clock, number, span } from "../format.js";
import { onJobs, poll } from "../live.js";
import { plot } from "../plot.js";
import { address, requery } from "../router.js";
import { can, get, isService, send } from "../session.js";
import { badge, card, empty, head, jobLink, link, problem, since, small, table } from "../ui.js";

const WINDOWS = new Map([
  [15, "15 minutes"],
  [60, "hour"],
  [360, "6 hours"],
  [1440, "24 hours"],
]);
const MOST_BARS = 72;

export const page = {
  title: "Overview",
  show(main, { query, signal }) {
    let minutes = chosen(query);
    const fault = problem();
    const choice = h(
      "select",
      {
        "aria-label": "Span of time",
        onchange: () => requery({ minutes: choice.value }, { replace: true }),
      },
      [...WINDOWS].map(([value, label]) => h("option", { value }, `Last ${label}`)),
    );
    choice.value = minutes;
    const counters = h("ul", { class: "counters" });
    const throughput = plot(
      "Jobs that ended",
      [
        { name: "done", label: "Done" },
        { name: "failed", label: "Failed" },
        { name: "cancelled", label: "Cancelled" },
      ],
      number,
    );
    const latency = plot("Mean time of a run", [{ name: "time", label: "Mean" }], brief);
    const queues = queueTable(() => refresh());
    const workers = can("admin") ? workerTable() : null;
    const failures = failureTable();
    main.append(
      head(
        "Overview",
        choice,
        can("jobs:write") && h("a", { class: "button", href: "#/submit" }, "Submit a job"),
      ),
      fault.node,
      counters,
      h(
        "div",
        { class: "columns" },
        h("div", { class: "card" }, throughput.node),
        h("div", { class: "card" }, latency.node),
      ),
      h(
        "div",
        { class: "columns" },
        card("Queues", queues.node),
        workers && card("Workers", workers.node),
      ),
      card("Failed lately", failures.node),
    );

    const load = async () => {
      const [stats, depths, staff, failed] = await Promise.all([
        get("/stats", { minutes }),
        get("/queues"),
        workers ? get("/workers") : [],
        get("/jobs", { status: "FAILED", limit: 5 }),
      ]);
      if (signal.aborted) return;
      drawCounters(counters, stats, depths, minutes);
      const points = bars(stats, minutes);
      throughput.update(points.ends, `${number(stats.done)} done, ${number(stats.failed)} failed`);
      const ran = stats.done + stats.failed;
      latency.update(
        points.times,
        ran ? `${span(stats.runMs / ran)} over the whole span` : "no job ran",
      );
      queues.update(depths);
      workers?.update(staff);
      failures.update(failed);
    };
    const refresh = poll(signal, load, fault.show);
    onJobs(signal, refresh.soon);
    return (next) => {
      minutes = chosen(next);
      choice.value = minutes;
      refresh();
    };
  },
};

const brief = (ms) => (ms < 60_000 ? span(ms) : `${(ms / 60_000).toFixed(1)} min`);

function chosen(query) {
  const minutes = Number(query.get("minutes"));
  return WINDOWS.has(minutes) ? minutes : 60;
}

function drawCounters(node, stats, depths, minutes) {
  const sum = (name) => depths.reduce((total, queue) => total + queue[name], 0);
  const past = `in the last ${WINDOWS.get(minutes)}`;
  const counters = [
    { label: "Waiting", value: sum("depth"), status: "PENDING", note: "ready to run" },
    { label: "Scheduled", value: sum("scheduled"), status: "PENDING", note: "due later" },
    { label: "Running", value: sum("processing"), status: "PROCESSING", note: "now" },
    { label: "Done", value: stats.done, status: "DONE", note: past },
    { label: "Failed", value: stats.failed, status: "FAILED", note: past },
    { label: "Cancelled", value: stats.cancelled, status: "CANCELLED", note: past },
  ];
  keyed(
    node,
    counters,
    ({ label }) => label,
    ({ label, status }) => {
      const value = h("strong");
      const note = h("small");
      return {
        node: h(
          "li",
          h(
            "a",
            { href: address(["jobs"], { status }), "data-status": status },
            h("span", label),
            value,
            note,
          ),
        ),
        update(counter) {
          say(value, number(counter.value));
          say(note, counter.note);
        },
      };
    },
  );
}

/** Minutes, summed so that they fit. */
function bars({ since, minutes: rows }, minutes) {
  const size = Math.ceil(minutes / MOST_BARS);
  const start = Date.parse(since);
  const buckets = Array.from({ length: Math.ceil(minutes / size) }, (_, index) => ({
    at: clock(new Date(start + index * size * 60_000).toISOString()).replace(/:00(?=$| )/, ""),
    done: 0,
    failed: 0,
    cancelled: 0,
    runMs: 0,
  }));
  for (const row of rows) {
    const bucket = buckets[Math.floor((Date.parse(row.at) - start) / 60_000 / size)];
    if (bucket)
      for (const name of ["done", "failed", "cancelled", "runMs"]) bucket[name] += row[name];
  }
  return {
    ends: buckets.map(({ at, done, failed, cancelled }) => ({
      at,
      values: [done, failed, cancelled],
    })),
    times: buckets.map(({ at, done, failed, runMs }) => ({
      at,
      values: [runMs / (done + failed || 1)],
    })),
  };
}

function queueTable(changed) {
  const turn = (name, verb) => async () => {
    await send("POST", `/queues/${encodeURIComponent(name)}/${verb}`);
    changed();
  };
  return table(
    "Queues",
    [
      { label: "Queue", cell: ({ name }) => link(name, ["jobs"], { queue: name }) },
      { label: "Waiting", class: "number", cell: ({ depth }) => number(depth) },
      { label: "Running", class: "number low", cell: ({ processing }) => number(processing) },
      { label: "Oldest", class: "low", cell: ({ oldest }) => (oldest ? since(oldest) : "–") },
      {
        label: "State",
        cell: ({ paused }) => (paused ? badge("CANCELLED", "Paused") : badge("DONE", "Open")),
      },
      ...(isService()
        ? [
            {
              label: "Pause or resume",
              hidden: true,
              class: "acts",
              cell: ({ name, paused }) =>
                paused
                  ? small("Resume", turn(name, "resume"), name)
                  : small("Pause", turn(name, "pause"), name),
            },
          ]
        : []),
    ],
    { key: ({ name }) => name },
  );
}

const workerTable = () =>
  table(
    "Workers",
    [
      { label: "Worker", cell: ({ name }) => h("span", { class: "mono" }, name) },
      { label: "Running", class: "number", cell: ({ running }) => number(running) },
      { label: "Started", class: "low", cell: ({ startedAt }) => since(startedAt) },
      { label: "Lease ends", cell: ({ expiresAt }) => since(expiresAt) },
    ],
    {
      none: () =>
        empty(
          "No worker is there.",
          "Jobs wait. Start one: ",
          h("code", "jobcast worker MODULE:APP"),
        ),
    },
  );

const failureTable = () =>
  table(
    "Jobs that failed lately",
    [
      { label: "Job", cell: ({ id }) => jobLink(id) },
      { label: "Type", cell: ({ type }) => type },
      { label: "Error", class: "wrap low", cell: ({ error }) => error ?? "–" },
      { label: "Ended", cell: ({ finishedAt }) => since(finishedAt) },
    ],
    { none: () => empty("Nothing has failed.", "What does is listed here, newest first.") },
  );

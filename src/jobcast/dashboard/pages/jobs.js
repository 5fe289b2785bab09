// The list of jobs: filters in the address, live, with a bulk change of what is chosen or matches.

import { bulkDialog, changeEach, POSSIBLE } from "../bulk.js";
import { h, say } from "../dom.js";
import { field } from "../form.js";
import { number, shortId, span } from "../format.js";
import { onJobs, poll } from "../live.js";
import { address, go, here, requery } from "../router.js";
import { can, get, isService, session } from "../session.js";
import {
  badge,
  button,
  empty,
  head,
  link,
  pager,
  problem,
  quiet,
  since,
  small,
  table,
  under,
} from "../ui.js";

const LIMIT = 25;
const PAGED = 10_000 / LIMIT; // pages that their number reaches; those behind them need a cursor
const TYPING_MS = 300;
const FILTERS = ["q", "status", "type", "queue", "tag", "userId", "tenantId", "sort"];
const STATUSES = ["PENDING", "PROCESSING", "DONE", "FAILED", "CANCELLED"];

const seen = { type: new Set(), queue: new Set(), tag: new Set(), tenantId: new Set() };

export const page = {
  title: "Jobs",
  show(main, { query, signal }) {
    const writes = can("jobs:write");
    let asked = wanted(query);
    let page = { jobs: [], meta: { total: 0 } };
    const chosen = new Map();
    const fault = problem();
    const filters = filterForm(() => requery(filters.values(), { replace: true }));
    const count = h("p", { class: "soft count" });
    const all = h("input", { type: "checkbox", "aria-label": "Choose all on this page" });
    const rows = jobTable({ all: writes && all, chosen, choose });
    const pages = pager((step) => {
      const { meta } = page;
      const next = meta.page + step;
      if (step < 0 && next > PAGED) return history.back(); // no cursor leads backwards
      const cursor = next > PAGED && meta.cursor;
      return requery({ ...filters.values(), page: next > 1 && next, cursor });
    });
    const bar = h("div", {
      class: "bulk-bar",
      role: "region",
      "aria-label": "Chosen jobs",
      hidden: true,
    });
    const many =
      writes &&
      quiet("All that match…", () =>
        bulkDialog(bulkFilter(filters.values())).then((made) => made && go(["jobs", made.id])),
      );
    main.append(
      head("Jobs", many, writes && h("a", { class: "button", href: "#/submit" }, "Submit a job")),
      filters.node,
      fault.node,
      count,
      rows.node,
      pages.node,
      bar,
    );
    filters.take(asked);
    filters.complete(signal);

    all.addEventListener("change", () => {
      const yes = all.checked; // each choice sets it anew
      for (const job of page.jobs) choose(job, yes);
      rows.update(page.jobs, true);
    });

    function choose(job, yes) {
      if (yes) chosen.set(job.id, job);
      else chosen.delete(job.id);
      all.checked = page.jobs.length > 0 && page.jobs.every(({ id }) => chosen.has(id));
      all.indeterminate = chosen.size > 0 && !all.checked;
      drawBar();
    }

    function drawBar() {
      bar.hidden = chosen.size === 0;
      const act = (action, label) => {
        const fit = [...chosen.values()].filter(({ status }) => POSSIBLE[action].includes(status));
        const node = button(
          `${label} ${fit.length}`,
          async () => {
            if (await changeEach(action, fit)) {
              chosen.clear();
              drawBar();
              rows.update(page.jobs, true);
              all.checked = all.indeterminate = false;
            }
            refresh();
          },
          { class: action === "delete" ? "danger small" : "small" },
        );
        return fit.length > 0 && node;
      };
      bar.replaceChildren(
        ...[
          h("span", `${chosen.size} chosen`),
          act("cancel", "Cancel"),
          act("retry", "Retry"),
          act("delete", "Delete"),
          quiet(
            "Choose none",
            () => {
              chosen.clear();
              drawBar();
              rows.update(page.jobs, true);
              all.checked = all.indeterminate = false;
            },
            { class: "quiet small" },
          ),
        ].filter(Boolean),
      );
    }

    const load = async () => {
      const found = await jobsAt(asked);
      if (signal.aborted) return;
      page = found;
      for (const job of page.jobs) if (chosen.has(job.id)) chosen.set(job.id, job);
      drawBar();
      remember(page.jobs);
      filters.suggest();
      rows.update(page.jobs);
      pages.update(page.meta);
      const exact = page.meta.totalIsExact === false ? "more than " : "";
      say(count, page.meta.total === 1 ? "1 job" : `${exact}${number(page.meta.total)} jobs`);
    };
    const refresh = poll(signal, load, fault.show);
    onJobs(
      signal,
      (event) => {
        const known = page.jobs.find(({ id }) => id === event.jobId);
        if (known && event.seq > known.seq) {
          Object.assign(known, { status: event.status, seq: event.seq });
          rows.update(page.jobs);
        }
        refresh.soon();
      },
      asked.tenantId,
    );

    return (next) => {
      asked = wanted(next);
      filters.take(asked);
      refresh();
    };
  },
};

async function jobsAt({ page = 1, cursor, ...filters }) {
  const ask = (where) => session.client.jobs({ ...filters, ...where, limit: LIMIT });
  if (cursor) {
    const { jobs, meta } = await ask({ cursor });
    return { jobs, meta: { ...meta, page: Number(page), hasPrevPage: true } };
  }
  const found = await ask({ page });
  if (found.jobs.length || page <= 1) return found;
  return ask({ page: found.meta.totalPages || 1 }); // what stood there is gone: the last page
}

function wanted(query) {
  const names = [...FILTERS, "page", "cursor"];
  return Object.fromEntries(
    names.map((name) => [name, query.get(name) ?? undefined]).filter(([, value]) => value),
  );
}

function bulkFilter({ sort, ...filter }) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
}

// -- filters

function filterForm(changed) {
  const plain = { autocomplete: "off", spellcheck: false };
  const fields = [
    field("q", "Search", { kind: "search", placeholder: "Id, type, tag", ...plain }),
    field("status", "Status", {
      kind: "select",
      options: [["", "Any"], ...STATUSES.map((one) => [one, one])],
    }),
    field("type", "Type", { list: true, placeholder: "Any", ...plain }),
    field("queue", "Queue", { list: true, placeholder: "Any", ...plain }),
    field("tag", "Tag", { list: true, placeholder: "Any", ...plain }),
    ...(isService()
      ? [field("tenantId", "Tenant", { list: true, placeholder: "Any", ...plain })]
      : []),
    field("sort", "Order", {
      kind: "select",
      options: [
        ["", "Newest first"],
        ["createdAt", "Oldest first"],
      ],
    }),
  ];
  const node = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filters" },
    fields.map((one) => one.node),
  );
  let timer = 0;
  const soon = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(changed, ms);
  };
  node.addEventListener("input", (event) =>
    soon(event.target.tagName === "SELECT" ? 0 : TYPING_MS),
  );
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  const suggest = () => {
    for (const { name, complete } of fields) if (seen[name]) complete([...seen[name]].sort());
  };
  return {
    node,
    suggest,
    values() {
      const { userId } = wanted(here().query); // has no field, stays
      return {
        userId,
        ...Object.fromEntries(fields.map(({ name, input }) => [name, input.value.trim()])),
      };
    },
    take(given) {
      for (const { name, input } of fields) {
        if (document.activeElement !== input) input.value = given[name] ?? "";
      }
    },
    async complete(signal) {
      const [types, queues, tenants] = await Promise.all([
        get("/job-types"),
        get("/queues"),
        isService() ? get("/tenants", { limit: 100 }) : [],
      ]).catch(() => [[], [], []]); // completion is a help, no more
      if (signal.aborted) return;
      for (const { type, queue } of types) {
        if (type !== "*") seen.type.add(type);
        seen.queue.add(queue);
      }
      for (const { name } of queues) seen.queue.add(name);
      for (const { id } of tenants) seen.tenantId.add(id);
      suggest();
    },
  };
}

function remember(found) {
  for (const { type, queue, tags, tenantId } of found) {
    seen.type.add(type);
    seen.queue.add(queue);
    seen.tenantId.add(tenantId);
    for (const tag of tags) seen.tag.add(tag);
  }
}

// -- the table

function jobTable({ all, chosen, choose }) {
  const columns = [
    ...(all
      ? [
          {
            label: all,
            class: "tick",
            cell: (job) => {
              const tick = h("input", {
                type: "checkbox",
                checked: chosen.has(job.id),
                "aria-label": `Choose ${job.type} ${job.id}`,
              });
              tick.addEventListener("change", () => choose(job, tick.checked));
              return tick;
            },
          },
        ]
      : []),
    {
      label: "Status",
      cell: ({ status, progress }) => [badge(status), percent(status, progress)].filter(Boolean),
    },
    {
      label: "Job",
      class: "wrap",
      cell: ({ id, type, createdAt }) => [
        h("a", { href: address(["jobs", id]), class: "strong" }, type),
        under(
          h("code", { title: id }, shortId(id)),
          h("span", { class: "narrow" }, " ", since(createdAt)),
        ),
      ],
    },
    { label: "Queue", class: "low", cell: ({ queue }) => queue },
    {
      label: "Tags",
      class: "low",
      cell: ({ tags }) =>
        h(
          "span",
          tags.map((tag) => [link(tag, ["jobs"], { tag }), " "]),
        ),
    },
    ...(isService()
      ? [
          {
            label: "Tenant",
            class: "low",
            cell: ({ tenantId }) => h("span", { class: "clip" }, tenantId),
          },
        ]
      : []),
    {
      label: "Attempts",
      class: "number low",
      cell: ({ attempts, maxAttempts }) => `${attempts}/${maxAttempts}`,
    },
    {
      label: "Last run",
      class: "number low",
      cell: ({ startedAt, finishedAt }) =>
        finishedAt && startedAt ? span(Date.parse(finishedAt) - Date.parse(startedAt)) : "–",
    },
    { label: "Created", class: "number low", cell: ({ createdAt }) => since(createdAt) },
  ];
  const none = () => {
    const { sort, page, cursor, ...filters } = wanted(here().query);
    if (cursor) return empty("There are no more jobs.", "The page before was the last.");
    if (Object.keys(filters).length) return empty("No job matches.", "Change the filters.");
    const how = [link("Submit one", ["submit"]), ", and watch it here."];
    return empty("There are no jobs yet.", can("jobs:write") ? how : "They are shown here, live.");
  };
  const inner = table("Jobs", columns, { none });
  return {
    node: inner.node,
    // The checkbox is no part of a job: `anew` draws rows again though their jobs are the same.
    update: (found, anew = false) =>
      inner.update(
        found.map((job) =>
          anew || chosen.has(job.id) ? { ...job, chosen: chosen.has(job.id) } : job,
        ),
      ),
  };
}

const percent = (status, progress) =>
  status === "PROCESSING" && progress && under(`${Math.round(progress.percent)} %`);

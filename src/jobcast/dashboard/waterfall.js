// When a job waited and ran: a bar for each run, rounds (a user's retry begins one) one below another.

import { h, say } from "./dom.js";
import { clock, span } from "./format.js";

const OUTCOMES = {
  "job:done": ["done", "done"],
  "job:failed": ["failed", "failed"],
  "job:cancelled": ["cancelled", "cancelled"],
  "job:retrying": ["failed", "retried"],
  lost: ["cancelled", "its worker was lost"],
};

/** `take(event)` in the order of seq; `draw()` lets open bars grow. */
export function waterfall() {
  const node = h("div", { class: "waterfall" });
  let round = null;

  function begin(at) {
    const list = h("ol");
    const ends = [h("span"), h("span")];
    node.append(
      h(
        "div",
        { class: "round" },
        list,
        h("p", { class: "ends soft", "aria-hidden": "true" }, ends),
      ),
    );
    round = { list, ends, from: at, to: null, rows: [] };
  }

  function addRow(at, label) {
    const wait = h("i", { class: "wait" });
    const run = h("i", { class: "run" });
    const name = h("span", { class: "name" }, label);
    const words = h("span", { class: "words soft" });
    const row = { waitFrom: at, runFrom: null, to: null, outcome: null, wait, run, name, words };
    round.list.append(
      h("li", name, h("span", { class: "track", "aria-hidden": "true" }, wait, run), words),
    );
    round.rows.push(row);
    return row;
  }

  const open = () => {
    const row = round?.rows.at(-1);
    return row && row.to === null ? row : null;
  };

  function close(row, at, kind) {
    Object.assign(row, { to: at, outcome: OUTCOMES[kind] });
  }

  function take({ type, at: iso, attempt, retryAt }) {
    const at = Date.parse(iso);
    if (type === "job:pending") {
      const row = open();
      if (row?.runFrom) close(row, at, "lost");
      if (!round || round.to !== null) begin(at);
      if (!open()) addRow(at, "Waiting");
    } else if (type === "job:processing") {
      if (!round) begin(at);
      let row = open();
      if (row?.runFrom) {
        close(row, at, "lost");
        row = null;
      }
      row ??= addRow(at, "");
      row.runFrom = at;
      say(row.name, `Attempt ${attempt}`);
    } else if (type === "job:retrying") {
      if (open()) close(open(), at, type);
      if (round) addRow(at, "Waiting").due = Date.parse(retryAt);
    } else if (OUTCOMES[type]) {
      if (open()) close(open(), at, type);
      if (round) round.to = at;
    } else return;
    draw();
  }

  function draw() {
    if (!round) return;
    const { from, rows, ends } = round;
    const now = Date.now();
    const to = Math.max(round.to ?? now, ...rows.map((row) => row.due ?? row.to ?? 0), from + 1);
    const place = (bar, a, b) => {
      bar.style.left = `${((a - from) / (to - from)) * 100}%`;
      bar.style.width = `${(Math.max(0, b - a) / (to - from)) * 100}%`;
    };
    for (const row of rows) {
      const end = row.to ?? Math.max(now, row.runFrom ?? row.waitFrom);
      place(row.wait, row.waitFrom, row.runFrom ?? end);
      if (row.runFrom) place(row.run, row.runFrom, end);
      row.run.dataset.outcome = row.outcome?.[0] ?? "running";
      say(row.words, told(row, end, now));
    }
    say(ends[0], clock(new Date(from).toISOString()));
    say(ends[1], span(to - from));
  }

  return { node, take, draw };
}

function told({ waitFrom, runFrom, due, outcome }, end, now) {
  const parts = [];
  if (!runFrom && due && !outcome) parts.push(due > now ? `again in ${span(due - now)}` : "due");
  else parts.push(`waited ${span((runFrom ?? end) - waitFrom)}`);
  if (runFrom) parts.push(`ran ${span(end - runFrom)}`);
  if (outcome) parts.push(outcome[1]);
  return parts.join(", ");
}

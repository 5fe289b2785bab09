// Changing many jobs: the chosen ones one by one, or all that match as a job of its own.

import { h, say } from "./dom.js";
import { ask, field } from "./form.js";
import { number } from "./format.js";
import { isService, session, submitter } from "./session.js";
import { confirm, toast } from "./ui.js";

/** What each action can touch. */
export const POSSIBLE = {
  cancel: ["PENDING", "PROCESSING"],
  retry: ["FAILED", "CANCELLED"],
  delete: ["DONE", "FAILED", "CANCELLED"],
};

const DONE = { cancel: "Asked to cancel", retry: "Retried", delete: "Deleted" };

const jobs = (amount) => (amount === 1 ? "1 job" : `${number(amount)} jobs`);

/** Changes these jobs, after a question where that can't be undone; false where it was not done. */
export async function changeEach(action, chosen) {
  if (
    action === "delete" &&
    !(await confirm("Delete", `${jobs(chosen.length)}, with their log and files.`, "Delete"))
  )
    return false;
  let problem = null;
  let changed = 0;
  for (const job of chosen) {
    try {
      await changeOne(action, job);
      changed++;
    } catch (error) {
      problem = error;
      if (error.status === 429 || error.status === null) break; // the next would fare no better
    }
  }
  if (changed) toast(`${DONE[action]}: ${jobs(changed)}`);
  if (problem) toast(problem.message, "bad");
  return changed > 0;
}

export async function changeOne(action, job) {
  const handle = session.client.job(job.id);
  if (action === "cancel") return handle.cancel();
  if (action === "retry") return handle.retry();
  return remove(job);
}

// Jobs are deleted by a bulk change; `q` names one by its id, but also what has that id as a tag.
async function remove({ id, type, queue, status, tenantId }) {
  const filter = { q: id, type, queue, status, ...(isService() && { tenantId }) };
  const { meta } = await session.client.jobs({ ...filter, limit: 1 });
  if (meta.total > 1)
    throw new Error("Other jobs carry the id of this one as a tag, and would go with it.");
  const { id: bulk } = await submitter("/jobs/bulk")({ action: "delete", filter });
  const { changed } = await session.client.job(bulk).result();
  if (!changed)
    throw new Error("It stays: its webhook is still being delivered, or it runs again.");
}

/** Asks what to do with all that match; resolves with the bulk job, if one was made. */
export function bulkDialog(given) {
  const filter = isService() ? { tenantId: session.me.tenantId, ...given } : given;
  const words = Object.entries(filter).map(([name, value]) =>
    h("li", `${name}: `, h("strong", value)),
  );
  const usable = Object.keys(POSSIBLE).filter(
    (name) => !filter.status || POSSIBLE[name].includes(filter.status),
  );
  const action = field("action", "Action", {
    kind: "select",
    options: usable.map((name) => [name, `${name[0].toUpperCase()}${name.slice(1)}`]),
  });
  const count = h("p", { role: "status" }, "Counting…");
  const show = async () => {
    const wanted = action.input.value;
    const statuses = filter.status ? [filter.status] : POSSIBLE[wanted];
    const pages = await Promise.all(
      statuses.map((status) => session.client.jobs({ ...filter, status, limit: 1 })),
    );
    if (wanted !== action.input.value) return;
    const total = pages.reduce((sum, { meta }) => sum + meta.total, 0);
    const more = pages.some(({ meta }) => meta.totalIsExact === false) ? "more than " : "";
    say(
      count,
      `This is for ${more}${jobs(total)} now. It runs as a job of its own that you can watch and cancel.`,
    );
  };
  const counted = () => show().catch((error) => say(count, error.message));
  action.input.addEventListener("change", counted);
  counted();
  const start = submitter("/jobs/bulk");
  return ask(
    "All that match",
    [action],
    "Start",
    ({ action }) => start({ action, filter }),
    words.length
      ? h("ul", { class: "plain" }, words)
      : h("p", "There is no filter: this is every job of your tenant."),
    count,
  );
}

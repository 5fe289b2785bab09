// A new job.

import { h } from "../dom.js";
import { field, form } from "../form.js";
import { payloadField } from "../payload.js";
import { go } from "../router.js";
import { get, isService, session, submitter } from "../session.js";
import { head } from "../ui.js";

export const page = {
  title: "Submit a job",
  show(main, { query, signal }) {
    let types = new Map();
    const type = field("type", "Type", {
      list: true,
      required: true,
      maxLength: 100,
      autocomplete: "off",
      spellcheck: false,
      value: query.get("type"),
    });
    const payload = payloadField();
    const more = [
      field("queue", "Queue", { list: true, hint: "The one of the type, if left empty." }),
      field("priority", "Priority", {
        kind: "number",
        min: -100,
        max: 100,
        hint: "-100 to 100, high first.",
      }),
      field("runAt", "Not before", { kind: "datetime-local" }),
      field("maxAttempts", "Attempts at most", { kind: "number", min: 1 }),
      field("timeoutMs", "Timeout in milliseconds", { kind: "number", min: 1 }),
      field("tags", "Tags", { hint: "Separated by commas." }),
      field("uniqueKey", "Unique key", {
        hint: "While a job with it is waiting or running, that one is given instead.",
      }),
      field("channel", "Channel", { hint: "Its events are published there, too." }),
      field("webhookUrl", "Webhook", { kind: "url", hint: "Called when the job ends." }),
      ...(isService()
        ? [field("tenantId", "Tenant", { hint: `For ${session.me.tenantId}, if left empty.` })]
        : []),
    ];
    const choose = () => payload.use(types.get(type.input.value.trim())?.schema);
    type.input.addEventListener("input", choose);

    // The text of the payload goes as it was typed: `fields` are written around it.
    const submit = submitter("/jobs");
    const create = async (values) => {
      const fields = jobFields(values);
      const job = await submit(
        `${JSON.stringify(fields).slice(0, -1)},"payload":${payload.text()}}`,
      );
      go(["jobs", job.id]);
    };
    const node = form([type, payload, ...more], "Submit", create, { class: "wide" });
    const options = h("details", h("summary", "More options"), h("div", { class: "columns" }));
    options.lastChild.append(...more.map((one) => one.node));
    payload.node.after(options);
    main.append(head("Submit a job"), h("div", { class: "card" }, node));

    fill().catch(() => {}); // without the list, types are typed by hand
    async function fill() {
      const [known, queues] = await Promise.all([get("/job-types"), get("/queues")]);
      if (signal.aborted) return;
      types = new Map(known.map((one) => [one.type, one]));
      const names = [...types.keys()].filter((name) => name !== "*");
      type.complete(names);
      more[0].complete(
        new Set([...queues.map(({ name }) => name), ...known.map(({ queue }) => queue)]),
      );
      const typing = document.activeElement === type.input;
      if (!type.input.value && !typing)
        type.input.value = names.includes("stream-text") ? "stream-text" : (names[0] ?? "");
      choose();
    }
  },
};

const NUMBERS = ["priority", "maxAttempts", "timeoutMs"];

function jobFields({ payload, ...values }) {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
  for (const name of NUMBERS) if (name in given) given[name] = Number(given[name]);
  if (given.runAt) given.runAt = new Date(given.runAt).toISOString();
  if (given.tags)
    given.tags = given.tags
      .split(",")
      .map((tag) => tag.trim())
      .filter(Boolean);
  return given;
}

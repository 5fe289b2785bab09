// Jobs by the clock: to list, make, change, pause and delete.

import { h } from "../dom.js";
import { ask, field } from "../form.js";
import { paged } from "../lists.js";
import { poll } from "../live.js";
import { payloadField } from "../payload.js";
import { can, get, isService, send } from "../session.js";
import {
  badge,
  button,
  confirm,
  empty,
  head,
  jobLink,
  problem,
  since,
  small,
  table,
  toast,
  under,
} from "../ui.js";

export const page = {
  title: "Schedules",
  show(main, { signal }) {
    const fault = problem();
    const writes = can("jobs:write");
    const edit = (one) => () => scheduleDialog(one).then((saved) => saved && refresh());
    const turn =
      ({ id, enabled }) =>
      async () => {
        await send("PATCH", `/schedules/${id}`, { enabled: !enabled });
        refresh();
      };
    const erase =
      ({ id, name }) =>
      async () => {
        if (
          !(await confirm(
            "Delete this schedule",
            `${name} makes no more jobs. Those it has made stay.`,
            "Delete",
          ))
        )
          return;
        await send("DELETE", `/schedules/${id}`);
        toast("Deleted");
        refresh();
      };
    const rows = table(
      "Schedules",
      [
        {
          label: "Name",
          cell: ({ name, declared }) =>
            [h("span", { class: "strong" }, name), declared && under("declared in code")].filter(
              Boolean,
            ),
        },
        { label: "Type", class: "low", cell: ({ type }) => type },
        { label: "Cron", cell: ({ cron, timezone }) => [h("code", cron), under(timezone)] },
        ...(isService()
          ? [
              {
                label: "Tenant",
                class: "low",
                cell: ({ tenantId }) => h("span", { class: "clip" }, tenantId),
              },
            ]
          : []),
        { label: "Next", cell: ({ nextRunAt }) => (nextRunAt ? since(nextRunAt) : "–") },
        {
          label: "Last",
          class: "low",
          cell: ({ lastRunAt, lastJobId, error }) =>
            error
              ? h("span", { class: "bad" }, error)
              : lastRunAt
                ? [since(lastRunAt), " ", lastJobId && jobLink(lastJobId)]
                : "–",
        },
        {
          label: "State",
          class: "low",
          cell: ({ enabled }) => (enabled ? badge("DONE", "On") : badge("CANCELLED", "Paused")),
        },
        ...(writes
          ? [
              {
                label: "Change",
                hidden: true,
                class: "acts",
                cell: (one) => [
                  small(one.enabled ? "Pause" : "Resume", turn(one), one.name),
                  one.declared ? "" : small("Edit", edit(one), one.name),
                  small("Delete", erase(one), one.name, "danger"),
                ],
              },
            ]
          : []),
      ],
      {
        none: () =>
          empty(
            "There are no schedules.",
            writes ? "Make one: each tick of its clock makes a job." : "Who may write makes them.",
          ),
      },
    );
    const pages = paged("/schedules");
    main.append(
      head("Schedules", writes && button("New schedule", edit(null))),
      fault.node,
      rows.node,
      pages.node,
    );
    const load = async () => {
      const found = await pages.items();
      if (!signal.aborted) rows.update(found);
    };
    const refresh = poll(signal, load, fault.show);
    return refresh;
  },
};

/** Changes a schedule, or makes one of null; resolves with what it is then. */
function scheduleDialog(one) {
  const type = field("type", "Type", {
    list: true,
    required: true,
    autocomplete: "off",
    value: one?.type,
  });
  const payload = payloadField("payload", { value: one?.payload });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const fields = [
    ...(one ? [] : [field("name", "Name", { required: true, autocomplete: "off" })]),
    field("cron", "Cron", {
      value: one?.cron,
      required: true,
      autocomplete: "off",
      placeholder: "0 3 * * *",
      hint: "Minute, hour, day of month, month, day of week.",
    }),
    field("timezone", "Time zone", {
      value: one?.timezone ?? zone,
      list: Intl.supportedValuesOf("timeZone"),
      autocomplete: "off",
    }),
    type,
    payload,
  ];
  let types = [];
  const choose = () =>
    payload.use(types.find((one) => one.type === type.input.value.trim())?.schema);
  type.input.addEventListener("input", choose);
  get("/job-types").then(
    (known) => {
      types = known;
      type.complete(known.map((one) => one.type).filter((name) => name !== "*"));
      if (one) choose();
    },
    () => {}, // types are typed by hand then
  );
  const save = ({ payload: _, timezone, ...values }) => {
    const head = JSON.stringify({ ...values, timezone: timezone ?? "UTC" }).slice(0, -1);
    const body = `${head},"payload":${payload.text()}}`;
    return one ? send("PATCH", `/schedules/${one.id}`, body) : send("POST", "/schedules", body);
  };
  return one
    ? ask(`Edit ${one.name}`, fields, "Save", save)
    : ask("New schedule", fields, "Create", save);
}

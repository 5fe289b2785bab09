// Where webhooks go and how that fares; the secrets that sign; sending again what failed.

import { h } from "../dom.js";
import { ask, field } from "../form.js";
import { number } from "../format.js";
import { paged } from "../lists.js";
import { poll } from "../live.js";
import { can, get, send } from "../session.js";
import {
  badge,
  card,
  copy,
  empty,
  head,
  problem,
  quiet,
  reveal,
  since,
  small,
  table,
  toast,
  under,
} from "../ui.js";

const STATUS = {
  ok: ["DONE", "OK"],
  failing: ["FAILED", "Failing"],
  disabled: ["CANCELLED", "Disabled"],
};

export const page = {
  title: "Webhooks",
  show(main, { signal }) {
    const fault = problem();
    const writes = can("jobs:write");
    const admin = can("admin");
    const enable =
      ({ id }) =>
      async () => {
        await send("POST", `/webhooks/endpoints/${encodeURIComponent(id)}/enable`);
        toast("It is called again");
        refresh();
      };
    const endpoints = table(
      "Endpoints",
      [
        { label: "Endpoint", class: "wrap", cell: ({ endpoint }) => endpoint },
        {
          label: "State",
          cell: ({ status, failures, lastError }) =>
            [
              badge(...STATUS[status]),
              failures > 0 && under(`${number(failures)} failed in a row: ${lastError}`),
            ].filter(Boolean),
        },
        { label: "Last success", class: "low", cell: ({ lastSuccessAt }) => since(lastSuccessAt) },
        { label: "Last failure", class: "low", cell: ({ lastFailureAt }) => since(lastFailureAt) },
        ...(writes
          ? [
              {
                label: "Enable",
                hidden: true,
                class: "acts",
                cell: (one) =>
                  one.status === "disabled" ? small("Enable", enable(one), one.endpoint) : "",
              },
            ]
          : []),
      ],
      {
        none: () =>
          empty(
            "No webhook was called yet.",
            "Submit a job with a webhook: its address is called when the job ends.",
          ),
      },
    );
    const secrets =
      admin &&
      table(
        "Secrets",
        [
          {
            label: "Secret",
            cell: ({ secret }) =>
              secret
                ? h("span", { class: "row" }, h("code", `${secret.slice(0, 10)}…`), copy(secret))
                : "The server's own",
          },
          { label: "Made", class: "low", cell: ({ createdAt }) => since(createdAt) },
          { label: "Ends", cell: ({ expiresAt }) => (expiresAt ? since(expiresAt) : "–") },
        ],
        {
          key: ({ id }) => id,
          none: () => empty("The server's own secret signs.", "Rotate to get one of your own."),
        },
      );
    const pages = paged("/webhooks/endpoints");
    main.append(
      head("Webhooks", writes && quiet("Redeliver what failed…", redeliver)),
      fault.node,
      card("Endpoints", endpoints.node, pages.node),
    );
    if (admin) {
      main.append(
        card(
          "Signing secrets",
          h(
            "p",
            { class: "soft" },
            "The newest signs; the one before signs beside it for a day, so that receivers can change over.",
          ),
          secrets.node,
          h("div", { class: "row" }, quiet("Rotate", rotate)),
        ),
      );
    }

    async function rotate() {
      const [newest] = await send("POST", "/webhooks/secrets", {});
      await reveal("New signing secret", "Give it to your receivers within a day.", newest.secret);
      refresh();
    }

    const load = async () => {
      const [found, live] = await Promise.all([
        pages.items(),
        admin ? get("/webhooks/secrets") : [],
      ]);
      if (signal.aborted) return;
      endpoints.update(found);
      if (admin) secrets.update(live);
    };
    const refresh = poll(signal, load, fault.show);
    return refresh;
  },
};

const HOURS = [
  [1, "the last hour"],
  [6, "the last 6 hours"],
  [24, "the last day"],
  [168, "the last week"],
];

async function redeliver() {
  const text =
    "All deliveries that failed for good are sent again. Those to a disabled endpoint stay: enable it first.";
  const again = ({ hours }) =>
    send("POST", "/webhooks/redeliver", {
      since: new Date(Date.now() - hours * 3_600_000).toISOString(),
    });
  const within = field("hours", "Within", { kind: "select", options: HOURS });
  const done = await ask("Redeliver what failed", [within], "Redeliver", again, h("p", text));
  if (done) toast(`Sent again: ${number(done.count)}`);
}

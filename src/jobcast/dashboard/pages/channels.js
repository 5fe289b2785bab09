// Channels in which something happened within a day.

import { field, form } from "../form.js";
import { number } from "../format.js";
import { poll } from "../live.js";
import { go } from "../router.js";
import { get } from "../session.js";
import { card, empty, head, link, problem, table } from "../ui.js";

export const page = {
  title: "Channels",
  show(main, { signal }) {
    const fault = problem();
    const name = field("name", "Name", {
      required: true,
      autocomplete: "off",
      hint: "a-z 0-9 : _ . - such as chat:lobby",
    });
    const rows = table(
      "Channels",
      [
        { label: "Channel", cell: (one) => link(one.name, ["channels", one.name]) },
        { label: "Connections", class: "number", cell: ({ count }) => number(count) },
        { label: "Users", class: "number", cell: ({ users }) => number(users) },
        { label: "Messages", class: "number low", cell: ({ offset }) => number(offset) },
      ],
      {
        key: (one) => one.name,
        none: () =>
          empty(
            "No channel was used today.",
            "Join one by its name: it is made by whoever comes first.",
          ),
      },
    );
    main.append(
      head("Channels"),
      fault.node,
      card(
        "Join a channel",
        form([name], "Join", ({ name }) => go(["channels", name]), { class: "inline" }),
      ),
      rows.node,
    );
    const load = async () => {
      const found = await get("/channels");
      if (!signal.aborted) rows.update(found);
    };
    poll(signal, load, fault.show);
  },
};

// One's own account, and what owners administer: keys, members, the tenant.

import { h } from "../dom.js";
import { ask, field, form } from "../form.js";
import { paged } from "../lists.js";
import { poll } from "../live.js";
import { address, here } from "../router.js";
import { can, expire, get, isService, isUser, send, session, signOut } from "../session.js";
import {
  badge,
  button,
  card,
  confirm,
  empty,
  head,
  link,
  problem,
  quiet,
  reveal,
  since,
  small,
  table,
  toast,
  under,
} from "../ui.js";

const TABS = [
  ["account", "Account", () => true, account],
  ["keys", "API keys", () => can("admin"), keys],
  ["members", "Members", () => can("admin"), members],
  ["tenant", "Tenant", () => can("admin"), tenant],
];

export const page = {
  title: "Settings",
  show(main, { path, signal }) {
    const tabs = TABS.filter(([, , may]) => may());
    const [name, , , draw] = tabs.find(([name]) => name === path[1]) ?? tabs[0];
    const items = tabs.map(([one, label]) =>
      h(
        "li",
        h(
          "a",
          {
            href: address(["settings", one, path[2]].filter(Boolean)),
            "aria-current": one === name && "page",
          },
          label,
        ),
      ),
    );
    main.append(
      head("Settings"),
      h("nav", { class: "tabs", "aria-label": "Settings" }, h("ul", items)),
    );
    return draw(main, signal);
  },
};

// A service key may look after another tenant, by its id in the address.
const chosen = () => (isService() && here().path[2]) || session.me.tenantId;
const own = (rest = "") => `/tenants/${encodeURIComponent(chosen())}${rest}`;
const given = (values) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

// -- one's own

function account(main, signal) {
  const { me } = session;
  const rows = [
    ["Signed in as", me.email ?? me.name ?? "an API key"],
    [
      "Kind",
      { user: me.owner ? "Owner" : "Member", key: "API key", service: "Service key" }[me.kind],
    ],
    ["Tenant", me.tenantId],
    ["May", isService() ? "everything, for all tenants" : me.scopes.join(", ")],
  ];
  main.append(
    card(
      "You",
      h(
        "dl",
        { class: "facts" },
        rows.map(([name, value]) => h("div", h("dt", name), h("dd", value))),
      ),
    ),
  );
  if (!isUser()) return;
  main.append(passwordCard(), sessionsCard(signal));
}

function passwordCard() {
  const secret = (name, label, autocomplete, more) =>
    field(name, label, { kind: "password", autocomplete, required: true, ...more });
  const node = form(
    [
      secret("currentPassword", "Current password", "current-password"),
      secret("newPassword", "New password", "new-password", { hint: "At least 8 characters." }),
    ],
    "Change password",
    async (values) => {
      await send("POST", "/auth/password", values);
      node.reset();
      toast("Changed. Your other sessions have ended.");
    },
  );
  return card("Password", node);
}

function sessionsCard(signal) {
  const fault = problem();
  const end =
    ({ id, current }) =>
    async () => {
      if (current) return signOut();
      await send("DELETE", `/auth/sessions/${id}`);
      refresh();
    };
  const rows = table("Sessions", [
    {
      label: "Browser",
      cell: ({ userAgent, current }) =>
        [
          h("span", { class: "strong" }, browser(userAgent)),
          current && [" ", badge("DONE", "This one")],
        ]
          .flat()
          .filter(Boolean),
    },
    { label: "Address", class: "low", cell: ({ address }) => address ?? "–" },
    { label: "Last used", cell: ({ lastUsedAt }) => since(lastUsedAt) },
    { label: "Ends", class: "low", cell: ({ expiresAt }) => since(expiresAt) },
    {
      label: "End",
      hidden: true,
      class: "acts",
      cell: (one) => small(one.current ? "Sign out" : "End", end(one)),
    },
  ]);
  const others = quiet("End all others", async () => {
    const { revoked } = await send("DELETE", "/auth/sessions");
    toast(`Ended: ${revoked}`);
    refresh();
  });
  const refresh = poll(signal, async () => rows.update(await get("/auth/sessions")), fault.show);
  return card("Sessions", fault.node, rows.node, h("div", { class: "row" }, others));
}

function browser(userAgent) {
  const name = ["Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python"].find((one) =>
    userAgent?.includes(one),
  );
  const system = ["Android", "iPhone", "Windows", "Mac OS", "Linux"].find((one) =>
    userAgent?.includes(one),
  );
  const names = { Edg: "Edge", OPR: "Opera" };
  return [names[name] ?? name ?? userAgent ?? "Unknown", system].filter(Boolean).join(" on ");
}

// -- API keys

const SCOPES = [
  ["jobs:read", "Read jobs"],
  ["jobs:write", "Submit and change jobs"],
  ["channels", "Take part in channels"],
  ["admin", "Administer the tenant"],
];

function keys(main, signal) {
  const fault = problem();
  const revoke =
    ({ id, name, hint }) =>
    async () => {
      const mine = id === session.me.keyId;
      const text = `${name ?? hint} stops working at once.${mine ? " It is the one you are signed in with." : ""}`;
      if (!(await confirm("Revoke this key", text, "Revoke"))) return;
      await send("DELETE", `/api-keys/${id}`);
      if (mine) return expire();
      toast("Revoked");
      refresh();
    };
  const rows = table(
    "API keys",
    [
      {
        label: "Key",
        cell: ({ name, hint }) => [
          h("span", { class: "strong" }, name ?? "Unnamed"),
          under(h("code", hint)),
        ],
      },
      { label: "May", class: "low", cell: ({ scopes }) => scopes.join(", ") },
      ...(isService()
        ? [
            {
              label: "Tenant",
              class: "low",
              cell: ({ tenantId }) => h("span", { class: "clip" }, tenantId),
            },
          ]
        : []),
      { label: "Last used", class: "low", cell: ({ lastUsedAt }) => since(lastUsedAt) },
      {
        label: "Ends",
        class: "low",
        cell: ({ expiresAt }) => (expiresAt ? since(expiresAt) : "never"),
      },
      {
        label: "Revoke",
        hidden: true,
        class: "acts",
        cell: (one) => small("Revoke", revoke(one), one.name ?? one.hint, "danger"),
      },
    ],
    { none: () => empty("There are no keys.", "Make one for each program that calls Jobcast.") },
  );
  const pages = paged("/api-keys");
  const create = () => newKey().then((made) => made && refresh());
  main.append(
    fault.node,
    card(
      "API keys",
      h(
        "p",
        { class: "soft" },
        "Programs sign in with a key. Give each its own, with no more scopes than it needs.",
      ),
      rows.node,
      pages.node,
      h("div", { class: "row" }, button("New key", create)),
    ),
  );
  const refresh = poll(signal, async () => rows.update(await pages.items()), fault.show);
  return refresh;
}

async function newKey() {
  const scopes = SCOPES.filter(([scope]) => can(scope));
  if (isService()) scopes.push(["service", "Act for every tenant"]);
  const boxes = scopes.map(([scope, label]) =>
    field(scope, label, { kind: "check", value: scope !== "admin" && scope !== "service" }),
  );
  const more = [
    field("name", "Name", { required: true, autocomplete: "off", hint: "What it is for." }),
    field("expiresAt", "Ends", { kind: "date", hint: "Never, if left empty." }),
    field("rateLimit", "Jobs a minute", {
      kind: "number",
      min: 1,
      hint: "The usual limit, if left empty.",
    }),
    ...(isService()
      ? [field("tenantId", "Tenant", { hint: `${session.me.tenantId}, if left empty.` })]
      : []),
  ];
  const make = async (values) => {
    const { expiresAt, rateLimit, name, tenantId = null } = values;
    return send("POST", "/api-keys", {
      ...given({ name, tenantId }),
      scopes: scopes.map(([scope]) => scope).filter((scope) => values[scope]),
      ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }),
      ...(rateLimit && { rateLimit: Number(rateLimit) }),
    });
  };
  const made = await ask("New API key", [more[0], ...boxes, ...more.slice(1)], "Create", make);
  if (made)
    await reveal("New API key", "It is shown this once: keep it in a safe place.", made.key);
  return made;
}

// -- members

function members(main, signal) {
  const fault = problem();
  const remove =
    ({ id, email }) =>
    async () => {
      if (
        !(await confirm(
          "Remove this member",
          `${email}: their sessions and keys end at once, their jobs stay.`,
          "Remove",
        ))
      )
        return;
      await send("DELETE", own(`/members/${id}`));
      refresh();
    };
  const takeBack =
    ({ id }) =>
    async () => {
      await send("DELETE", own(`/invites/${id}`));
      refresh();
    };
  const people = table(
    "Members",
    [
      {
        label: "Member",
        class: "wrap",
        cell: ({ email, name, id }) => [
          h("span", { class: "strong" }, email),
          under([name, id === session.me.id && "you"].filter(Boolean).join(", ")),
        ],
      },
      { label: "Role", cell: ({ owner }) => (owner ? badge("PROCESSING", "Owner") : "Member") },
      { label: "Since", class: "low", cell: ({ createdAt }) => since(createdAt) },
      {
        label: "Remove",
        hidden: true,
        class: "acts",
        cell: (one) =>
          one.id === session.me.id ? "" : small("Remove", remove(one), one.email, "danger"),
      },
    ],
    { none: () => empty("Nobody has an account in this tenant.", "Invite someone.") },
  );
  const invites = table(
    "Open invites",
    [
      { label: "For", class: "wrap", cell: ({ email }) => email ?? "Whoever has the link" },
      { label: "As", cell: ({ owner }) => (owner ? "Owner" : "Member") },
      { label: "Ends", cell: ({ expiresAt }) => since(expiresAt) },
      {
        label: "Take back",
        hidden: true,
        class: "acts",
        cell: (one) => small("Take back", takeBack(one), one.email, "danger"),
      },
    ],
    { none: () => empty("No invite is open.", "An invite is a link that works once.") },
  );
  const pages = {
    people: paged(own("/members"), { label: "Pages of members" }),
    invites: paged(own("/invites"), { name: "invites", label: "Pages of invites" }),
  };
  const invite = () => newInvite().then((made) => made && refresh());
  main.append(
    fault.node,
    card(isService() ? `Members of ${chosen()}` : "Members", people.node, pages.people.node),
    card(
      "Invites",
      invites.node,
      pages.invites.node,
      h("div", { class: "row" }, button("Invite someone", invite)),
    ),
  );
  const load = async () => {
    const [found, open] = await Promise.all([pages.people.items(), pages.invites.items()]);
    people.update(found);
    invites.update(open);
  };
  const refresh = poll(signal, load, fault.show);
  return refresh;
}

async function newInvite() {
  const fields = [
    field("email", "Email", {
      kind: "email",
      hint: "Mailed there, and good for that address alone. Empty: for whoever has the link.",
    }),
    field("owner", "As an owner, who administers the tenant", { kind: "check" }),
  ];
  const made = await ask("Invite someone", fields, "Invite", (values) =>
    send("POST", own("/invites"), given(values)),
  );
  if (made)
    await reveal("Invite", "This link works once, within a week. It is shown this once.", made.url);
  return made;
}

// -- the tenant

const LIMITS = [
  ["weight", "Weight", "How many jobs it gets in each round of the queue."],
  ["rateLimit", "Jobs a minute for each user", "The usual limit, if empty."],
  ["keyRateLimit", "Jobs a minute for each key", "The usual limit, if empty."],
  ["maxRunning", "Running at a time", "Any number, if empty."],
  ["maxWaiting", "Waiting at most", "The usual limit, if empty."],
];

function tenant(main, signal) {
  const box = h("div", h("div", { class: "skeleton", "aria-hidden": "true" }));
  main.append(card(`Tenant ${chosen()}`, box));
  const draw = (found) => {
    const fields = [
      field("name", "Name", { value: found.name }),
      ...LIMITS.map(([name, label, hint]) =>
        field(name, label, { kind: "number", min: 1, hint, value: found[name] }),
      ),
    ];
    const save = async ({ name, ...limits }) => {
      const numbers = Object.entries(limits).map(([key, value]) => [
        key,
        value === null ? null : Number(value),
      ]);
      const changed = [["name", name], ...numbers].filter(([key, value]) => value !== found[key]);
      if (changed.length) draw(await send("PATCH", own(), Object.fromEntries(changed)));
      toast("Saved");
    };
    const note = isService()
      ? null
      : h("p", { class: "soft" }, "Owners can lower limits; who runs the server raises them.");
    box.replaceChildren(...[note, form(fields, "Save", save)].filter(Boolean));
  };
  const all = isService() ? tenantsCard(signal) : null;
  if (all) main.append(all.node);
  get(own()).then(
    (found) => signal.aborted || draw(found),
    (error) => box.replaceChildren(h("p", { class: "notice bad", role: "alert" }, error.message)),
  );
  return all?.refresh;
}

function tenantsCard(signal) {
  const fault = problem();
  const rows = table("Tenants", [
    {
      label: "Tenant",
      class: "wrap",
      cell: ({ id, name }) =>
        [link(id, ["settings", "tenant", id]), name && under(name)].filter(Boolean),
    },
    { label: "Weight", class: "number", cell: ({ weight }) => weight },
    { label: "Since", class: "low", cell: ({ createdAt }) => since(createdAt) },
    { label: "Jobs", cell: ({ id }) => link("Jobs", ["jobs"], { tenantId: id }) },
    { label: "Members", cell: ({ id }) => link("Members", ["settings", "members", id]) },
  ]);
  const pages = paged("/tenants");
  const refresh = poll(signal, async () => rows.update(await pages.items()), fault.show);
  return { node: card("All tenants", fault.node, rows.node, pages.node), refresh };
}

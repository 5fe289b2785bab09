// The parts that pages are made of: buttons, tables, dialogs, notices.

import { h, keyed, newId, s, say } from "./dom.js";
import { ago, clock, shortId } from "./format.js";
import { address } from "./router.js";

// -- words

export const badge = (status, text = status) =>
  h("span", { class: "badge", "data-status": status }, text);

export const link = (text, path, query) => h("a", { href: address(path, query) }, text);

export const jobLink = (id) =>
  h("a", { href: address(["jobs", id]), class: "mono", title: id }, shortId(id));

/** A moment as the time since; `beat` keeps it true. */
export const since = (at) =>
  h(
    "time",
    { dateTime: at ?? "", "data-ago": at ?? "", title: at ? new Date(at).toLocaleString() : "" },
    ago(at),
  );

export const moment = (at) => h("time", { dateTime: at ?? "", title: at ?? "" }, clock(at));

/** Renews all that `since` has drawn. */
export function beat() {
  for (const node of document.querySelectorAll("time[data-ago]")) say(node, ago(node.dataset.ago));
}

/** An icon that says nothing to a screen reader; `path` in a box of 24. */
export const icon = (path) =>
  s(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    s("path", { d: path }),
  );

/** A second line in a cell. */
export const under = (...parts) => h("span", { class: "soft under" }, parts);

// -- what stands on a page

export const head = (title, ...actions) =>
  h(
    "div",
    { class: "head" },
    h("h1", { tabIndex: -1 }, title),
    h("div", { class: "row" }, actions),
  );

/** A part of a page under a heading of its own. */
export function card(title, ...parts) {
  const id = newId();
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), parts);
}

export const empty = (title, ...parts) =>
  h("div", { class: "empty" }, h("p", h("strong", title)), h("p", parts));

/** A box for what goes wrong: `show(error)`, with nothing to clear it. */
export function problem() {
  const node = h("p", { class: "notice bad", role: "alert", hidden: true });
  return {
    node,
    show(error) {
      node.hidden = !error;
      if (error) say(node, error.message);
    },
  };
}

// -- doing something

/** A button whose `act` may take a while: it can't be pressed twice, and says what went wrong. */
export function button(label, act, properties = {}) {
  const node = h("button", { type: "button", ...properties }, label);
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-disabled") === "true") return;
    node.setAttribute("aria-disabled", "true"); // unlike `disabled` it keeps the focus
    try {
      await act();
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      node.removeAttribute("aria-disabled");
    }
  });
  return node;
}

export const quiet = (label, act, properties) =>
  button(label, act, { class: "quiet", ...properties });

/** A button of a row; `about` tells a screen reader which one. */
export const small = (label, act, about, kind = "") =>
  quiet(label, act, { class: `quiet small ${kind}`, "aria-label": about && `${label} ${about}` });

const TOAST_MS = 6000;

/** A word in the corner that goes by itself. */
export function toast(text, kind = "good") {
  const node = h("p", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 2 * TOAST_MS : TOAST_MS);
}

/** A dialog with these parts; resolves with what `close(value)` is given, undefined on Escape. */
export function dialog(title, parts) {
  return new Promise((resolve) => {
    const id = newId();
    let value;
    const close = (given) => {
      value = given;
      node.close();
    };
    const node = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), parts(close));
    node.addEventListener("close", () => {
      node.remove();
      resolve(value);
    });
    document.body.append(node);
    node.showModal();
  });
}

/** Asks before what can't be undone. */
export const confirm = (title, text, label) =>
  dialog(title, (close) => [
    h("p", text),
    h(
      "div",
      { class: "row end" },
      quiet("Keep", () => close(false), { autofocus: true }),
      button(label, () => close(true), { class: "danger" }),
    ),
  ]);

/** Shows a secret once. */
export const reveal = (title, text, secret) =>
  dialog(title, (close) => [
    h("p", text),
    h("p", { class: "secret" }, h("code", secret), copy(secret)),
    h(
      "div",
      { class: "row end" },
      button("Done", () => close(), { autofocus: true }),
    ),
  ]);

export function copy(text) {
  if (!navigator.clipboard) return null; // only where the page comes safely
  return small("Copy", async () => {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  });
}

// -- tables

/**
 * A table; `columns` are {label, cell(item), class?, hidden?}: `hidden` labels are for screen
 * readers alone, of class `low` go first where there is no room. `update(items)` draws rows, or
 * `none()` where there are none.
 */
export function table(caption, columns, { key = (item) => item.id, none } = {}) {
  const body = h("tbody");
  const heads = columns.map((column) =>
    h(
      "th",
      { scope: "col", class: column.class },
      column.hidden ? h("span", { class: "unseen" }, column.label) : column.label,
    ),
  );
  const inner = h(
    "table",
    h("caption", { class: "unseen" }, caption),
    h("thead", h("tr", heads)),
    body,
  );
  const skeleton = h("div", { class: "skeleton", "aria-hidden": "true" });
  const node = h("div", { class: "table" }, skeleton);
  return {
    node,
    update(items) {
      if (!items.length && none) return node.replaceChildren(none());
      if (inner.parentNode !== node) node.replaceChildren(inner);
      keyed(body, items, key, () => row(columns));
    },
  };
}

function row(columns) {
  const cells = columns.map((column) => h("td", { class: column.class }));
  let drawn = "";
  return {
    node: h("tr", cells),
    update(item) {
      const now = JSON.stringify(item);
      if (now === drawn) return;
      drawn = now;
      columns.forEach((column, index) => {
        const focused = cells[index].contains(document.activeElement);
        cells[index].replaceChildren(...[column.cell(item) ?? "–"].flat());
        if (focused) cells[index].querySelector("button, a, input")?.focus();
      });
    },
  };
}

/** Buttons to the page before and the next; `turn(step)`. */
export function pager(turn, label = "Pages of the list") {
  const words = h("span", { class: "soft" });
  const step = (by) => () => {
    turn(by);
    scrollTo(0, 0); // the focus stays: Enter turns on
  };
  const previous = quiet("Previous", step(-1));
  const next = quiet("Next", step(1));
  const node = h(
    "nav",
    { class: "row pager", "aria-label": label, hidden: true },
    previous,
    words,
    next,
  );
  return {
    node,
    update({ page, totalPages, total, hasNextPage, hasPrevPage, totalIsExact = true }) {
      node.hidden = !hasNextPage && !hasPrevPage;
      const least = (many) => `${many.toLocaleString()}${totalIsExact ? "" : "+"}`;
      const of = page > totalPages ? "" : ` of ${least(totalPages)}`;
      say(words, `Page ${page.toLocaleString()}${of} (${least(total)})`);
      const focused = document.activeElement;
      previous.hidden = !hasPrevPage;
      next.hidden = !hasNextPage;
      const other = focused === next ? previous : focused === previous ? next : null;
      if (focused.hidden) other?.focus({ preventScroll: true });
    },
  };
}

// Forms: fields with labels, hints and errors where they belong.

import { h, newId, say } from "./dom.js";
import { dialog, quiet } from "./ui.js";
/**
 * A labelled field. `kind`: an input's type, or "text area", "select" (with `options`), "check".
 * Its `list` completes what is typed.
 */
export function field(
  name,
  label,
  { kind = "text", hint, options = [], list, value, ...more } = {},
) {
  const [id, hintId, errorId] = [newId(), newId(), newId()];
  const common = { id, name, "aria-describedby": hint ? `${hintId} ${errorId}` : errorId, ...more };
  const input =
    kind === "select"
      ? h(
          "select",
          common,
          options.map(([key, text]) => h("option", { value: key }, text)),
        )
      : kind === "text area"
        ? h("textarea", { rows: 6, spellcheck: false, autocapitalize: "off", ...common })
        : h("input", { type: kind === "check" ? "checkbox" : kind, ...common });
  if (kind === "check") input.checked = Boolean(value);
  else if (value !== undefined && value !== null) input.value = value;
  const error = h("span", { id: errorId, class: "error" });
  const known = list && h("datalist", { id: newId() });
  if (known) input.setAttribute("list", known.id);
  const words = h("label", { htmlFor: id }, label);
  const node = h(
    "div",
    { class: kind === "check" ? "field check" : "field" },
    kind === "check" ? [input, words] : [words, input],
    known,
    hint && h("span", { id: hintId, class: "hint" }, hint),
    error,
  );
  const found = {
    node,
    name,
    input,
    complete: (values) =>
      known.replaceChildren(...[...values].map((one) => h("option", { value: one }))),
    error(text = "") {
      say(error, text);
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
  if (list !== undefined && list !== true) found.complete(list);
  return found;
}

/** What a field holds: a text, null where it is empty, true or false. */
export function held({ input }) {
  if (input.type === "checkbox") return input.checked;
  const text = input.type === "password" ? input.value : input.value.trim();
  return text === "" ? null : text;
}

/**
 * A form that calls `send(values)` with what its fields hold, and puts the errors of the answer at
 * the fields they name.
 */
export function form(fields, label, send, { extra = [], ...properties } = {}) {
  const problem = h("p", { class: "notice bad", role: "alert", hidden: true });
  const submit = h("button", { type: "submit" }, label);
  const node = h(
    "form",
    { noValidate: true, ...properties },
    fields.map((one) => one.node),
    problem,
    h("div", { class: "row" }, submit, extra),
  );
  let busy = false;
  const show = (error) => {
    const strays = Object.entries(error.details ?? {}).filter(([name, sentences]) => {
      const at = fields.find((one) => one.name === name || name.startsWith(`${one.name}.`));
      const place = at && at.name !== name ? `${name.slice(at.name.length + 1)}: ` : "";
      at?.error(place + sentences.join(" "));
      return !at;
    });
    const rest = strays.map(([name, sentences]) => `${name}: ${sentences.join(" ")}`);
    say(problem, [error.message, ...rest].join(". "));
    problem.hidden = false;
    node.querySelector("[aria-invalid]")?.focus();
  };
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    submit.setAttribute("aria-disabled", "true");
    problem.hidden = true;
    for (const one of fields) one.error();
    try {
      const missing = fields.filter((one) => one.input.required && held(one) === null);
      for (const one of missing) one.error("Required");
      if (missing.length) missing[0].input.focus();
      else await send(Object.fromEntries(fields.map((one) => [one.name, held(one)])));
    } catch (error) {
      show(error);
    } finally {
      busy = false;
      submit.removeAttribute("aria-disabled");
    }
  });
  return node;
}

/** A form in a dialog; resolves with what `send` gives, undefined where it was closed. */
export const ask = (title, fields, label, send, ...before) =>
  dialog(title, (close) => [
    before,
    form(fields, label, async (values) => close(await send(values)), {
      extra: [quiet("Close", () => close())],
    }),
  ]);

/** Throws what a form shows at its field. */
export function fault(name, sentence) {
  throw Object.assign(new Error("Please check what is marked"), {
    details: { [name]: [sentence] },
  });
}

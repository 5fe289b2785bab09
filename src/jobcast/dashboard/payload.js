// A field for a JSON object, checked while it is typed.

import { h, say } from "./dom.js";
import { fault, field } from "./form.js";
import { pretty } from "./format.js";
import { check, example, hints } from "./schema.js";
import { small } from "./ui.js";

/** `text()` throws at the field where it is no JSON object; `use(schema)` changes the hints. */
export function payloadField(name = "payload", { value } = {}) {
  let schema = null;
  let untouched = value === undefined;
  const one = field(name, "Payload", {
    kind: "text area",
    rows: 8,
    class: "mono",
    hint: "A JSON object. Ctrl+Enter sends.",
    value: value === undefined ? "{}" : pretty(value),
  });
  const advice = h("p", { class: "hint advice" });
  const known = h("div");
  const fill = () => {
    one.input.value = pretty(example(schema));
    untouched = true;
    look();
  };
  const parse = () => {
    const found = JSON.parse(one.input.value.trim() || "{}");
    if (found === null || typeof found !== "object" || Array.isArray(found)) {
      throw new Error('It must be a JSON object, like {"name": "value"}.');
    }
    return found;
  };
  const look = () => {
    try {
      const found = check(schema, parse());
      one.error();
      say(advice, found);
    } catch (error) {
      one.error(error.message);
      say(advice, "");
    }
  };
  one.input.addEventListener("input", () => {
    untouched = false;
    look();
  });
  one.input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      one.input.form.requestSubmit();
    }
  });
  one.node.append(advice, known);
  return {
    ...one,
    /** The JSON text as it was typed, so that numbers beyond JavaScript's stay as they are. */
    text() {
      try {
        parse();
      } catch (error) {
        fault(name, error.message);
      }
      return one.input.value.trim() || "{}";
    },
    use(given) {
      schema = given ?? null;
      const rows = hints(schema ?? {});
      known.replaceChildren(
        ...(rows.length ? [small("Example payload", fill), fieldList(rows)] : []),
      );
      if (untouched && document.activeElement !== one.input) fill();
      else look();
    },
  };
}

const fieldList = (rows) =>
  h(
    "dl",
    { class: "schema" },
    rows.map(({ name, type, required, text }) => [
      h(
        "dt",
        h("code", name),
        " ",
        h("span", { class: "soft" }, type),
        required && h("em", " required"),
      ),
      h("dd", text),
    ]),
  );

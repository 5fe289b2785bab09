// The form: a type, a payload that is checked while it is typed, an example for each type.

import { $, pretty } from "./dom.js";

let types = new Map(); // name → JSON Schema or null
let untouched = true; // the payload is still an example

/** `known` as GET /api/job-types gives it. */
export function showTypes(known) {
  types = new Map(known.map(({ type, schema }) => [type, schema ?? null]));
  const names = [...types.keys()].filter((name) => name !== "*");
  $("types").replaceChildren(...names.map((name) => new Option(name, name)));
  if (!$("type").value) {
    $("type").value = names.includes("stream-text") ? "stream-text" : (names[0] ?? "");
  }
  if (untouched) fillExample();
}

/** `send` takes the job as JSON text and resolves once it is accepted. */
export function bindForm(send) {
  $("submit-form").onsubmit = (event) => {
    event.preventDefault();
    submit(send);
  };
  $("type").oninput = () => untouched && fillExample();
  $("payload").oninput = () => {
    untouched = false;
    checkPayload();
  };
  $("payload").onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit(send);
    }
  };
  $("example").onclick = fillExample;
}

async function submit(send) {
  if ($("submit").disabled) return; // the last one is on its way
  const type = $("type").value.trim();
  $("submit-error").textContent = type ? "" : "Choose a type.";
  if (!type) return $("type").focus();
  if (!checkPayload()) return $("payload").focus();
  $("submit").disabled = true;
  try {
    const payload = $("payload").value.trim() || "{}";
    await send(`{"type":${JSON.stringify(type)},"payload":${payload}}`);
  } catch (error) {
    $("submit-error").textContent = error.message;
  } finally {
    $("submit").disabled = false;
  }
}

function example(schema) {
  if (schema?.examples?.length) return schema.examples[0];
  const blank = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} };
  const fields = (schema?.required ?? []).map((name) => {
    const field = schema.properties?.[name] ?? {};
    return [name, field.examples?.[0] ?? field.default ?? blank[field.type] ?? null];
  });
  return Object.fromEntries(fields);
}

function fillExample() {
  $("payload").value = pretty(example(types.get($("type").value.trim())));
  untouched = true;
  checkPayload();
}

function checkPayload() {
  let problem = "";
  try {
    const value = JSON.parse($("payload").value.trim() || "{}");
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      problem = 'The payload must be a JSON object, like {"name": "value"}.';
    }
  } catch (error) {
    problem = error.message;
  }
  $("payload-error").textContent = problem;
  $("payload").setAttribute("aria-invalid", String(problem !== ""));
  return !problem;
}

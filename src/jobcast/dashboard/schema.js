// JSON Schema as a help while typing: hints, an example, what does not fit. The server has the word.

const BLANK = {
  string: "",
  integer: 0,
  number: 0,
  boolean: false,
  array: [],
  object: {},
  null: null,
};

function resolve(schema, root) {
  for (let depth = 0; schema?.$ref && depth < 10; depth++) {
    const parts = schema.$ref.split("/").slice(1);
    schema = parts.reduce((at, part) => at?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], root);
  }
  return schema ?? {};
}

const choices = (schema) => schema.anyOf ?? schema.oneOf ?? null;

function typeName(given, root) {
  const schema = resolve(given, root);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const options = choices(schema);
  if (options) return options.map((one) => typeName(one, root)).join(" | ");
  if (schema.type === "array") return `list of ${typeName(schema.items ?? {}, root)}`;
  return [schema.type ?? "any JSON"].flat().join(" | ");
}

/** Its fields: [{name, type, required, text}]. */
export function hints(schema) {
  const root = resolve(schema, schema);
  const required = new Set(root.required);
  return Object.entries(root.properties ?? {}).map(([name, given]) => {
    const field = resolve(given, schema);
    const text = [given.description ?? field.description];
    const standard = given.default ?? field.default;
    if (standard !== undefined && standard !== null)
      text.push(`Default: ${JSON.stringify(standard)}.`);
    return {
      name,
      type: typeName(given, schema),
      required: required.has(name),
      text: text.filter(Boolean).join(" "),
    };
  });
}

/** A payload to begin with: the schema's own example, else what it requires. */
export function example(schema) {
  const root = resolve(schema, schema);
  if (root.examples?.length) return root.examples[0];
  const values = (root.required ?? []).map((name) => [
    name,
    sample(root.properties?.[name] ?? {}, schema),
  ]);
  return Object.fromEntries(values);
}

function sample(given, root, depth = 0) {
  const schema = resolve(given, root);
  const own = schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (own !== undefined) return own;
  const options = choices(schema);
  if (options) return sample(options[0], root, depth);
  if (schema.type === "object" && schema.required && depth < 4) {
    return Object.fromEntries(
      schema.required.map((name) => [
        name,
        sample(schema.properties?.[name] ?? {}, root, depth + 1),
      ]),
    );
  }
  return BLANK[[schema.type].flat()[0]] ?? null;
}

const kindOf = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

function isType(value, type) {
  if (type === "integer") return Number.isInteger(value);
  return type === kindOf(value);
}

/** The first thing that does not fit, as a sentence; "" where all does. */
export function check(schema, value) {
  return schema ? misfit(schema, value, schema, "") : "";
}

function misfit(given, value, root, at) {
  const schema = resolve(given, root);
  const here = at || "The payload";
  const options = choices(schema);
  if (options) {
    const found = options.map((one) => misfit(one, value, root, at));
    if (found.includes("")) return "";
    return options.length === 2
      ? found.find((_, i) => resolve(options[i], root).type !== "null")
      : `${here} fits none of what it may be.`;
  }
  if (schema.type && ![schema.type].flat().some((type) => isType(value, type))) {
    return `${here} must be ${typeName(schema, root)}.`;
  }
  if (schema.enum && !schema.enum.some((one) => JSON.stringify(one) === JSON.stringify(value))) {
    return `${here} must be one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}.`;
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = schema.items ? misfit(schema.items, item, root, `${at}[${index}]`) : "";
      if (found) return found;
    }
  }
  if (kindOf(value) === "object") return misfitField(schema, value, root, at);
  return "";
}

function misfitField(schema, value, root, at) {
  const path = (name) => (at ? `${at}.${name}` : name);
  const missing = (schema.required ?? []).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${path(missing)} is required.`;
  for (const [name, item] of Object.entries(value)) {
    const known = Object.hasOwn(schema.properties ?? {}, name);
    if (!known && schema.additionalProperties === false) return `${path(name)} is not known.`;
    const found = known ? misfit(schema.properties[name], item, root, path(name)) : "";
    if (found) return found;
  }
  return "";
}

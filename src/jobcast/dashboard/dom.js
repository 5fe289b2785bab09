// What every part of the page draws with. Text from the server is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `parts` are children (nodes, texts, lists, nothing) and objects of properties. */
export const h = (name, ...parts) => fill(document.createElement(name), parts);

/** The same in SVG. */
export const s = (name, ...parts) => fill(document.createElementNS(SVG, name), parts);

function fill(node, parts) {
  for (const part of parts.flat(2)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node || typeof part !== "object") node.append(part);
    else for (const [name, value] of Object.entries(part)) set(node, name, value);
  }
  return node;
}

const ATTRIBUTES = new Set(["list", "form"]); // as properties they can only be read

function set(node, name, value) {
  if (value === undefined || value === null) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "style") for (const key in value) node.style.setProperty(key, value[key]);
  else if (name in node && node instanceof HTMLElement && !ATTRIBUTES.has(name)) node[name] = value;
  else if (value === true) node.setAttribute(name, "");
  else if (value !== false) node.setAttribute(name, value);
}

/** Sets the text of a node unless it is there: screen readers hear changes alone. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, and keeps nodes (with focus and selection) that
 * stay. `make(item)` gives {node, update(item)}.
 */
export function keyed(parent, items, key, make) {
  const before = (parent.kept ??= new Map());
  const after = new Map();
  for (const item of items) {
    const id = key(item);
    const row = before.get(id) ?? make(item);
    row.update?.(item);
    after.set(id, row);
  }
  for (const [id, row] of before) if (after.get(id) !== row) row.node.remove();
  let place = parent.firstChild;
  for (const { node } of after.values()) {
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  parent.kept = after;
}

let last = 0;

/** An id that no other element has. */
export const newId = () => `n${++last}`;

// What every part of the page draws with. Text from the server is only ever set as text.

export const $ = (id) => document.getElementById(id);

export const pretty = (value) => JSON.stringify(value, null, 2);

export const clock = (at) => (at ? new Date(at).toLocaleTimeString() : "");

export const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;

export function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

export function badge(status) {
  const found = element("span", { className: "badge", textContent: status });
  found.dataset.status = status;
  return found;
}

// Runs the script of a page at an address, with the few things of a browser that it uses, clicks
// its button, and prints what it shows at the end.

import { createRequire } from "node:module";

const [address, modules] = process.argv.slice(2);
const { WebSocket } = createRequire(`${modules}/`)("ws");
const html = await (await fetch(address)).text();
const script = /<script type="module">([\s\S]*?)<\/script>/.exec(html)[1];

const made = {};
globalThis.document = {
  getElementById(id) {
    const value = new RegExp(`id="${id}"[^>]*value="([^"]*)"`).exec(html)?.[1];
    return (made[id] ??= { textContent: "", value, addEventListener: (_, on) => (made[id].on = on) });
  },
};
const origin = new URL(address).origin;
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url, { headers: { Origin: origin } });
  }
};
const plain = globalThis.fetch;
globalThis.fetch = (path, options) => plain(new URL(path, address), options);

await import(`data:text/javascript,${encodeURIComponent(script)}`);
made.go.on();
const look = setInterval(() => {
  if (!["DONE", "FAILED"].includes(made.state.textContent)) return;
  clearInterval(look);
  console.log(JSON.stringify({ said: made.said.textContent, state: made.state.textContent }));
}, 20);

// The SDK in Chromium, in a page of another origin under a strict policy. URL, KEY: of the server;
// CHROMIUM: the program; FLAGS: what it is started with, as JSON.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { relay } from "./relay.mjs";

const { KEY, CHROMIUM, FLAGS } = process.env;
const POLICY =
  "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:* ws://127.0.0.1:*; " +
  "require-trusted-types-for 'script'; base-uri 'none'";
const CLIENT = new URL("./node_modules/@jobcast/client/", import.meta.url);

let browser, site;

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: JSON.parse(FLAGS) });
  site = createServer(async (request, response) => {
    const script = request.url.endsWith(".js");
    response.setHeader("Content-Security-Policy", POLICY);
    response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
    response.end(
      script ? await readFile(new URL(`.${request.url}`, CLIENT)) : "<title>Page</title>",
    );
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
});

after(async () => {
  await browser?.close();
  site?.close();
});

/** A tab with `jobcast` in it; what goes wrong there fails the test. */
async function tab(t, url) {
  const page = await browser.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // Browsers write this themselves, and nothing can keep them from it.
    const lost = /^WebSocket connection to .* failed|net::ERR_/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !lost) faults.push(message.text());
  });
  t.after(async () => {
    await page.close();
    assert.deepEqual(faults, []);
  });
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  await page.evaluate(
    async ([url, apiKey]) => {
      const { Jobcast } = await import("/index.js");
      globalThis.jobcast = new Jobcast({ url, apiKey });
    },
    [url, KEY],
  );
  return page;
}

test("a job is submitted in a page and watched to its end over a line that is cut", async (t) => {
  const network = await relay(t, process.env.URL);
  const page = await tab(t, network.url);
  let half;
  const reached = new Promise((resolve) => (half = resolve));
  await page.exposeFunction("half", () => half());
  const watching = page.evaluate(async () => {
    const states = [];
    jobcast.on("connection", ({ state }) => states.push(state));
    const job = await jobcast.submit("counts", { to: 100 });
    const seqs = [];
    let type;
    for await (const event of job.events()) {
      ({ type } = event);
      if (seqs.push(event.seq) === 20) await half();
    }
    return { seqs, type, states, result: await job.result() };
  });
  await reached;
  network.cut();

  const { seqs, type, states, result } = await watching;

  assert.deepEqual(
    seqs,
    Array.from(seqs, (_, index) => index + 1),
  );
  assert.deepEqual([type, result], ["job:done", 100]);
  assert.deepEqual(states, ["connecting", "open", "waiting", "connecting", "open"]);
});

test("two tabs talk in a channel, and one sees the other go", async (t) => {
  const name = `chat:${randomUUID()}`;
  const [here, there] = [await tab(t, process.env.URL), await tab(t, process.env.URL)];
  const join = (name) => {
    globalThis.channel = jobcast.channel(name);
    globalThis.crowds = [];
    channel.on("presence", ({ count }) => crowds.push(count));
    return channel.join();
  };
  await here.evaluate(join, name);
  await there.evaluate(join, name);
  await here.waitForFunction(() => crowds.at(-1) === 2);

  const heard = here.evaluate(async () => {
    for await (const event of channel) if (event.type === "message") return event.data;
  });
  await there.evaluate(() => channel.publish({ text: "from the other tab" }));
  assert.deepEqual(await heard, { text: "from the other tab" });

  await there.evaluate(() => jobcast.close());
  await here.waitForFunction(() => crowds.at(-1) === 1);
});

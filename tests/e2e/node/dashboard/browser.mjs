// A page of the dashboard in Chromium, and what its tests have in common.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before } from "node:test";

import { chromium } from "playwright-core";

const { JOBCAST: url, KEY: key, CHROMIUM, FLAGS, SHOTS, CONTROL } = process.env;
export { url };

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WITHIN_MS = 30_000;

// What a browser itself says while no server is there.
const LOST = /net::ERR_|WebSocket connection to/;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: JSON.parse(FLAGS) });
});
after(() => browser.close());

/** A profile of its own: `tab()` opens a page of it, `problems` is what any page complained of. */
export async function open(test, options = {}) {
  const viewport = { width: 1280, height: 800 };
  const context = await browser.newContext({ viewport, reducedMotion: "reduce", ...options });
  test.after(async () => {
    if (!test.passed)
      for (const [i, page] of context.pages().entries())
        await shoot(page, `${test.name.replace(/\W+/g, "-")}-${i}`);
    await context.close();
  });
  context.setDefaultTimeout(WITHIN_MS);
  const problems = [];
  context.on("console", (message) => {
    if (message.type() === "error" && !LOST.test(message.text())) problems.push(message.text());
  });
  context.on("weberror", (error) => problems.push(error.error().stack));
  return { problems, tab: () => context.newPage() };
}

/** Signs in by the link that `jobcast dev` prints; `base` is another way to the same server. */
export async function enter(page, base = url) {
  await page.goto(`${base}/#key=${encodeURIComponent(key)}`);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

/** Goes to a page, and returns when all that it asks for is drawn. */
export async function visit(page, hash) {
  const base = page.url().startsWith("http") ? new URL(page.url()).origin : url;
  const target = `${base}/${hash}`;
  if (page.url() !== "about:blank" && page.url() !== target)
    await page.evaluate(() => (document.querySelector("main").className = "left"));
  await page.goto(target);
  await page.waitForFunction(
    () => document.querySelector("main:not(.left) h1") && !document.querySelector("main .skeleton"),
  );
}

const HEAVY = new Set(["moderate", "serious", "critical"]);

/** What axe finds moderate or worse, by all its rules or these. */
export async function faults(page, rules = null) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (only) => globalThis.axe.run(document, only ? { runOnly: only } : {}),
    rules,
  );
  return violations
    .filter(({ impact }) => HEAVY.has(impact))
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
    );
}

export const shoot = (page, name) =>
  page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });

/** The `data` of a request to the API. */
export async function call(method, path, body, credentials = { "X-API-Key": key }) {
  const headers = { ...credentials, "Content-Type": "application/json" };
  const response = await fetch(`${url}/api${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer.data;
}

/** Kills the server and starts it again; its new address. */
export async function restart() {
  const response = await fetch(CONTROL, { method: "POST" });
  return (await response.json()).url;
}

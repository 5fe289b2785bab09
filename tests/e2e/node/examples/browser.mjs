// Tabs in Chromium at the page of an example; what any of them complains of fails its test.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { chromium } from "playwright-core";

const { PAGE, CHROMIUM, FLAGS } = process.env;
const WITHIN_MS = 30_000;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: JSON.parse(FLAGS) });
});
after(() => browser?.close());

export async function tab(test) {
  const page = await browser.newPage();
  page.setDefaultTimeout(WITHIN_MS);
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  test.after(() => assert.deepEqual(problems, []));
  await page.goto(PAGE);
  return page;
}

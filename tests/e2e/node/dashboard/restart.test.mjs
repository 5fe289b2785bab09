// The server is killed under people's eyes; it comes back at another address behind the same one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { relay } from "../sdk/relay.mjs";
import { enter, open, restart, url, visit } from "./browser.mjs";

test("a job is submitted and watched to its end, though the server is killed meanwhile", async (t) => {
  const { tab, problems } = await open(t);
  const [page, other] = [await tab(), await tab()];
  const badge = (status) => page.locator(".head .badge", { hasText: status });
  const net = await relay(t, url);
  await enter(page, net.url);
  await enter(other, net.url);
  await visit(other, "#/jobs");
  await page.getByRole("link", { name: "Submit a job" }).click();
  await page.getByLabel("Type").fill("sleep");
  await page.getByLabel("Payload").fill('{"delayMs": "soon"}');
  await page.getByText("delayMs must be integer.").waitFor();
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "Validation error" }).waitFor();
  problems.length = 0; // the browser's word for that 400
  await page.getByLabel("Payload").fill('{"delayMs": 4000}');
  await page.getByLabel("Payload").press("Control+Enter");
  await badge("PROCESSING").waitFor();
  const row = other.getByRole("row", { name: page.url().split("/").at(-1) });
  await row.filter({ hasText: "PROCESSING" }).waitFor();

  const told = other.locator("#connection", { hasText: "Connection lost" }).waitFor();
  net.move(await restart());
  await told;

  await badge("DONE").waitFor();
  await row.filter({ hasText: "DONE" }).waitFor();
  await page.getByText("Attempt 2", { exact: true }).waitFor();
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  await page.locator(".log li", { hasText: "runs again; next attempt" }).waitFor();
  assert.equal(await page.locator(".log li", { hasText: "Done" }).count(), 1);
  assert.deepEqual(problems, []);
});

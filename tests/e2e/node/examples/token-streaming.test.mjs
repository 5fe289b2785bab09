// A story that is told over two reloads.
import assert from "node:assert/strict";
import { test } from "node:test";

import { tab } from "./browser.mjs";

const TOKENS = 200; // six seconds: time for two reloads on a busy machine

test("a page that is reloaded in the middle shows every token, once", async (t) => {
  const page = await tab(t);
  await page.getByLabel("words").fill(String(TOKENS));
  await page.getByRole("button", { name: "Tell it" }).click();

  const shown = () => page.locator("#story").textContent();
  const longer = (than) =>
    page.waitForFunction((length) => document.querySelector("#story").textContent.length > length, than);
  await longer(40);
  const beginning = await shown();
  await page.reload();
  await longer(beginning.length + 20);
  assert.equal((await shown()).startsWith(beginning), true);
  assert.equal(await page.getByRole("status").textContent(), "PROCESSING", "it was the middle");
  await page.reload();
  await page.getByRole("status").filter({ hasText: "DONE" }).waitFor();

  const { id, watchToken } = Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.slice(1)));
  const { url } = await (await fetch(new URL("/gateway", page.url()))).json();
  const headers = { Authorization: `Bearer ${watchToken}` };
  const output = await (await fetch(`${url}/api/jobs/${id}/output`, { headers })).json();
  assert.equal(output.data.length, TOKENS);
  assert.equal(await shown(), output.data.map(({ data }) => data.token).join(""));
  assert.equal((await fetch(`${url}/api/jobs`, { headers })).status, 401, "it reads nothing else");
});

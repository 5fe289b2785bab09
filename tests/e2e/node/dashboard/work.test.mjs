// What people do with queues, schedules, channels and webhooks; a page that is hidden.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call, enter, open, url, visit } from "./browser.mjs";

const run = (type, payload, more) => call("POST", "/jobs", { type, payload, ...more });

const hide = (page, hidden) =>
  page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

test("a page that is hidden rests", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await enter(page);
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  const [socket] = sockets;
  const closed = socket.waitForEvent("close");
  await hide(page, true);
  await closed;
  const job = await run("sleep", { delayMs: 1 }, { tags: ["unseen"] });
  await call("GET", `/jobs/${job.id}?wait=30`);
  await hide(page, false);
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  await page.goto(`${url}/#/jobs?tag=unseen`);
  await page.getByRole("row", { name: /DONE.*sleep/ }).waitFor();
  assert.equal(sockets.length, 2);
  assert.deepEqual(problems, []);
});

test("a page of another release than the server's loads itself anew at the next step", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await enter(page);
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  await page.route(`${url}/`, (route) => route.fulfill({ headers: { ETag: '"newer"' }, body: "" }));
  await page.evaluate(() => (globalThis.old = true));
  const asked = page.waitForResponse(`${url}/`);
  await hide(page, true);
  await hide(page, false);
  await asked;
  await page.unroute(`${url}/`);
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.old), undefined);
  assert.deepEqual(problems, []);
});

test("a queue stands still and goes on; a schedule comes, changes and goes", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await enter(page);
  await page.getByRole("button", { name: "Pause default" }).click();
  await page.getByText("Paused", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Resume default" }).click();
  await page.getByText("Open", { exact: true }).waitFor();

  await visit(page, "#/schedules");
  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("hourly");
  await dialog.getByLabel("Cron").fill("61 * * * *");
  await dialog.getByLabel("Type").fill("sleep");
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByLabel("Cron").and(page.locator("[aria-invalid]")).waitFor();
  problems.length = 0; // the browser's word for that 400
  await dialog.getByLabel("Cron").fill("0 * * * *");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.getByRole("row", { name: /hourly/ }).waitFor();
  await page.getByRole("button", { name: "Edit hourly" }).click();
  await dialog.getByLabel("Payload").fill('{"delayMs": 7}');
  await dialog.getByLabel("Cron").fill("30 * * * *");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /hourly.*30 \* \* \* \*/ }).waitFor();
  const [saved] = (await call("GET", "/schedules")).filter(({ name }) => name === "hourly");
  assert.deepEqual([saved.type, saved.payload], ["sleep", { delayMs: 7 }]);
  await page.getByRole("button", { name: "Pause hourly" }).click();
  await page.getByRole("button", { name: "Resume hourly" }).waitFor();
  await page.getByRole("button", { name: "Delete hourly" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("row", { name: /hourly/ }).waitFor({ state: "detached" });
  assert.deepEqual(problems, []);
});

test("two tabs talk in a channel", async (t) => {
  const { tab, problems } = await open(t);
  const [ada, bob] = [await tab(), await tab()];
  for (const page of [ada, bob]) {
    await enter(page);
    await visit(page, "#/channels");
    await page.getByLabel("Name").fill("chat:tabs");
    await page.getByRole("button", { name: "Join" }).click();
  }
  await ada.getByText("2 connections").waitFor();
  await ada.getByLabel("Message", { exact: true }).fill("<b>Hello</b> from a tab");
  await ada.getByRole("button", { name: "Send" }).click();
  for (const page of [ada, bob]) await page.getByText("<b>Hello</b> from a tab").waitFor();
  await bob.close();
  await ada.getByText("1 connection,").waitFor();
  assert.deepEqual(problems, []);
});

test("a webhook is sent again, and a secret rotates", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const job = await run("sleep", { delayMs: 1 }, { webhookUrl: "http://127.0.0.1:1/hook" });
  await call("GET", `/jobs/${job.id}?wait=30`);
  await enter(page);
  await visit(page, `#/jobs/${job.id}`);
  await page.getByRole("button", { name: "Redeliver attempt 1" }).first().click();
  await page.getByText("It is sent again").waitFor();
  await visit(page, "#/webhooks");
  await page.getByText("http://127.0.0.1:1").waitFor();
  await page.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("dialog").getByText("whsec_").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
  await page.getByRole("row", { name: /whsec_/ }).waitFor();
  assert.deepEqual(problems, []);
});

// What people do with jobs, queues, schedules and channels, by clicking and typing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { relay } from "../sdk/relay.mjs";
import { call, enter, open, restart, url, visit } from "./browser.mjs";

const badge = (page, status) => page.locator(".head .badge", { hasText: status });
const run = (type, payload, more) => call("POST", "/jobs", { type, payload, ...more });

test("a failed job runs again with another input; a running one is cancelled", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const failed = await run("http-request", { url: "http://127.0.0.1:1/" }, { maxAttempts: 1 });
  await enter(page);
  await visit(page, `#/jobs/${failed.id}`);
  await page.getByRole("button", { name: "Retry with edited input…" }).click();
  await page.getByRole("dialog").getByLabel("Payload").fill(JSON.stringify({ url: `${url}/health` }));
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await badge(page, "DONE").waitFor();
  await page.locator("pre", { hasText: "statusCode" }).waitFor();

  const running = await run("sleep", { delayMs: 600_000 });
  await visit(page, `#/jobs/${running.id}`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await badge(page, "CANCELLED").waitFor();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  await badge(page, "PROCESSING").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await badge(page, "CANCELLED").waitFor();
  assert.equal(await page.locator(".waterfall .round").count(), 2);
  assert.deepEqual(problems, []);
});

test("output and files are shown, and the end of a stream that was watched from its start", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await enter(page);
  const job = await run("stream-text", { text: "one two three", delayMs: 50 });
  await visit(page, `#/jobs/${job.id}`);
  await page.locator(".output", { hasText: "one two three" }).waitFor();
  const report = await run("generate-report", {});
  await visit(page, `#/jobs/${report.id}`);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download report.pdf" }).click();
  assert.equal((await download).suggestedFilename(), "report.pdf");
  assert.deepEqual(problems, []);
});

test("filters stand in the address, and what is chosen is changed together", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const mine = await Promise.all([1, 2].map(() => run("sleep", { delayMs: 1 }, { delayMs: 600_000, tags: ["mine"] })));
  await run("sleep", { delayMs: 1 }, { delayMs: 600_000, tags: ["theirs"] });
  await enter(page);
  await visit(page, "#/jobs");
  await page.getByLabel("Tag").fill("mine");
  await page.getByText("2 jobs").waitFor();
  await page.getByLabel("Status").selectOption("PENDING");
  await page.waitForURL(/#\/jobs\?status=PENDING&tag=mine$/);
  await page.reload();
  await page.getByText("2 jobs").waitFor();
  assert.equal(await page.getByLabel("Tag").inputValue(), "mine");
  assert.ok(await page.locator("datalist option[value=theirs]").count() === 0, "a tag of jobs that were not seen");
  assert.ok(await page.locator("datalist option[value=stream-text]").count() === 1);

  await page.getByLabel("Choose all on this page").check();
  await page.getByRole("button", { name: "Cancel 2" }).click();
  await page.getByText("No job matches.").waitFor();
  for (const { id } of mine) assert.equal((await call("GET", `/jobs/${id}`)).status, "CANCELLED");
  assert.deepEqual(problems, []);
});

test("one job is deleted alone; all that match by a job of its own", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const gone = { url: "http://127.0.0.1:1/" };
  const jobs = await Promise.all([1, 2, 3].map(() => run("http-request", gone, { maxAttempts: 1, tags: ["bulk"] })));
  for (const { id } of jobs) await call("GET", `/jobs/${id}?wait=30`);
  await enter(page);
  await visit(page, `#/jobs/${jobs[0].id}`);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  await page.getByLabel("Tag").fill("bulk");
  await page.getByText("2 jobs").waitFor();
  await page.getByRole("button", { name: "All that match…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("tag: bulk").waitFor();
  await dialog.getByLabel("Action").selectOption("delete");
  await dialog.getByText("This is for 2 jobs now.").waitFor();
  await dialog.getByRole("button", { name: "Start" }).click();
  await page.getByRole("heading", { name: "jobcast/bulk/delete" }).waitFor();
  await badge(page, "DONE").waitFor();
  await page.locator("pre", { hasText: '"changed": 2' }).waitFor();
  await visit(page, "#/jobs?tag=bulk");
  await page.getByText("No job matches.").waitFor();
  assert.deepEqual(problems, []);
});

test("a page that is hidden rests", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await enter(page);
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  const [socket] = sockets;
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const closed = socket.waitForEvent("close");
  await hide(true);
  await closed;
  const job = await run("sleep", { delayMs: 1 }, { tags: ["unseen"] });
  await call("GET", `/jobs/${job.id}?wait=30`);
  await hide(false);
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  await page.goto(`${url}/#/jobs?tag=unseen`);
  await page.getByRole("row", { name: /DONE.*sleep/ }).waitFor();
  assert.equal(sockets.length, 2);
  assert.deepEqual(problems, []);
});

test("a queue stands still and goes on; a schedule comes and goes", async (t) => {
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

// The last one: the server is at another address after it.
test("a job is submitted and watched to its end, though the server is killed meanwhile", async (t) => {
  const { tab, problems } = await open(t);
  const [page, other] = [await tab(), await tab()];
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
  await badge(page, "PROCESSING").waitFor();
  const row = other.getByRole("row", { name: page.url().split("/").at(-1) });
  await row.filter({ hasText: "PROCESSING" }).waitFor();

  net.move(await restart());

  await badge(page, "DONE").waitFor();
  await row.filter({ hasText: "DONE" }).waitFor();
  await page.getByText("Attempt 2", { exact: true }).waitFor();
  await page.locator("#connection", { hasText: "Live" }).waitFor();
  assert.equal(await page.locator(".log li", { hasText: "Done" }).count(), 1);
  assert.deepEqual(problems, []);
});

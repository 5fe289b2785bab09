// What people do with jobs, by clicking and typing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call, enter, open, url, visit } from "./browser.mjs";

const badge = (page, status) => page.locator(".head .badge", { hasText: status });
const run = (type, payload, more) => call("POST", "/jobs", { type, payload, ...more });

test("a failed job runs again with another input; a running one is cancelled", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const failed = await run("http-request", { url: "http://127.0.0.1:1/" }, { maxAttempts: 1 });
  await enter(page);
  await visit(page, `#/jobs/${failed.id}`);
  await page.getByRole("button", { name: "Retry with edited input…" }).click();
  await page
    .getByRole("dialog")
    .getByLabel("Payload")
    .fill(JSON.stringify({ url: `${url}/health` }));
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

test("output that is too long for a page is cut at its start, and the page says so", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await page.routeWebSocket(/\/ws/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => {
      const frame = JSON.parse(text);
      if (frame.type === "job:output") frame.data.token = frame.data.token.repeat(30_000);
      socket.send(JSON.stringify(frame));
    });
  });
  const job = await run("stream-text", { text: "a b c d e f", delayMs: 1 });
  await call("GET", `/jobs/${job.id}?wait=30`);
  await enter(page);
  await visit(page, `#/jobs/${job.id}`);
  await page.getByText(`GET /api/jobs/${job.id}/output`).waitFor();
  await page.locator(".log li", { hasText: "Done" }).waitFor();
  const shown = await page.locator(".output").textContent();
  assert.ok(shown.length <= 200_000 && shown.endsWith("f"));
  assert.ok(!shown.includes("a"));
  assert.equal(await page.getByText(`jobcast logs ${job.id}`).isVisible(), false);
  assert.deepEqual(problems, []);
});

test("filters stand in the address, and what is chosen is changed together", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const mine = await Promise.all(
    [1, 2].map(() => run("sleep", { delayMs: 1 }, { delayMs: 600_000, tags: ["mine"] })),
  );
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
  assert.ok(
    (await page.locator("datalist option[value=theirs]").count()) === 0,
    "a tag of jobs that were not seen",
  );
  assert.ok((await page.locator("datalist option[value=stream-text]").count()) === 1);

  await page.getByLabel("Choose all on this page").check();
  await page.getByRole("button", { name: "Cancel 2" }).click();
  await page.getByText("No job matches.").waitFor();
  for (const { id } of mine) assert.equal((await call("GET", `/jobs/${id}`)).status, "CANCELLED");
  assert.deepEqual(problems, []);
});

test("a change of all that match whose answer is lost is made once", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const asked = [];
  await page.route("**/api/jobs/bulk", async (route) => {
    const answer = await route.fetch();
    asked.push((await answer.json()).data.id);
    await (asked.length === 1 ? route.abort() : route.fulfill({ response: answer }));
  });
  await enter(page);
  await visit(page, "#/jobs?tag=lost");
  await page.getByRole("button", { name: "All that match…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("This is for 0 jobs now.").waitFor();
  await dialog.getByRole("button", { name: "Start" }).click();
  await page.waitForURL(/#\/jobs\/[0-9a-f-]{36}$/);
  assert.equal(asked.length, 2);
  assert.equal(asked[0], asked[1]);
  assert.ok(page.url().endsWith(asked[0]));
  assert.deepEqual(problems, []);
});

test("one job is deleted alone; all that match by a job of its own", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const gone = { url: "http://127.0.0.1:1/" };
  const jobs = await Promise.all(
    [1, 2, 3].map(() => run("http-request", gone, { maxAttempts: 1, tags: ["bulk"] })),
  );
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

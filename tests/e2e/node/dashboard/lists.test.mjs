// Lists that are longer than a page: all of them can be reached, by clicking and by the keyboard.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call, enter, faults, open, url, visit } from "./browser.mjs";

const OWNER = { email: "lists@example.com", password: "correct horse" };
const names = (word, many) => Array.from({ length: many }, (_, i) => `${word}-${100 + i}`);
const each = (items, act) => Promise.all(items.map(act));

const where = (page, text) => page.locator(".pager").getByText(text).waitFor();

test("the last of many jobs is reached by the keyboard, and the way back", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const jobs = await call("POST", "/jobs/batch", {
    jobs: Array.from({ length: 60 }, () => ({
      type: "sleep",
      payload: { delayMs: 1 },
      delayMs: 3_600_000,
      tags: ["many"],
    })),
  });
  t.after(() => each(jobs, ({ id }) => call("DELETE", `/jobs/${id}`)));
  await enter(page);
  await visit(page, "#/jobs?tag=many");
  await where(page, "Page 1 of 3 (60)");
  await page.getByRole("button", { name: "Next" }).focus();
  await page.keyboard.press("Enter");
  await where(page, "Page 2 of 3 (60)");
  assert.equal(await page.evaluate(() => scrollY), 0);
  await page.keyboard.press("Enter");
  await where(page, "Page 3 of 3 (60)");
  await page.locator(`a[href="#/jobs/${jobs[0].id}"]`).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Previous");
  await page.goBack();
  await where(page, "Page 2 of 3 (60)");
  await page.goto(`${url}/#/jobs?tag=many&page=9`);
  await where(page, "Page 3 of 3 (60)");
  assert.deepEqual(problems, []);
});

test("behind the pages that have numbers a cursor leads on, and there is a way back", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const asked = [];
  await enter(page);
  // As a server with 10,030 jobs answers.
  await page.route(/\/api\/jobs\?/, async (route) => {
    const query = new URL(route.request().url()).searchParams;
    asked.push(query.get("cursor") ?? Number(query.get("page")));
    const [cursor, hasNextPage] = query.has("cursor")
      ? [query.get("cursor") === "to-401" ? "to-402" : undefined, query.get("cursor") === "to-401"]
      : ["to-401", true];
    const at = query.has("cursor") ? 1 : Number(query.get("page"));
    const meta = { total: 10_000, page: at, limit: 25, totalPages: 400, totalIsExact: false };
    const body = { success: true, message: "", data: [await call("GET", `/jobs/${job.id}`)] };
    const places = { cursor, hasNextPage, hasPrevPage: at > 1 };
    await route.fulfill({ json: { ...body, meta: { ...meta, ...places } } });
  });
  const job = await call("POST", "/jobs", { type: "sleep", payload: { delayMs: 1 } });
  await page.goto(`${url}/#/jobs?page=400`);
  await where(page, "Page 400 of 400+ (10,000+)");
  const [previous, next] = ["Previous", "Next"].map((name) => page.getByRole("button", { name }));
  await next.click();
  await where(page, "Page 401 (10,000+)");
  await next.click();
  await where(page, "Page 402 (10,000+)");
  await next.waitFor({ state: "hidden" });
  await page.reload();
  await where(page, "Page 402 (10,000+)");
  await previous.click();
  await where(page, "Page 401 (10,000+)");
  await previous.click();
  await where(page, "Page 400 of 400+ (10,000+)");
  assert.deepEqual([...new Set(asked)], [400, "to-401", "to-402"]);
  assert.deepEqual(problems, []);
});

test("schedules have pages; the last one goes when its last schedule does", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const made = [];
  t.after(() => each(made, ({ id }) => call("DELETE", `/schedules/${id}`).catch(() => {})));
  for (const name of names("zz", 51))
    made.push(await call("POST", "/schedules", { name, cron: "0 3 * * *", type: "sleep" }));
  const { length } = await call("GET", "/schedules?limit=100");
  await enter(page);
  await visit(page, `#/schedules?page=${Math.ceil(length / 25)}`);
  await page.getByRole("row", { name: /zz-150/ }).waitFor();
  assert.deepEqual(await faults(page), []);
  const rows = await page.locator("tbody tr").count();
  for (const { id } of made.splice(51 - rows, rows)) await call("DELETE", `/schedules/${id}`);
  await page.reload();
  await page.getByRole("row", { name: new RegExp(made.at(-1).name) }).waitFor();
  await page.getByRole("button", { name: "Previous" }).click();
  await where(page, "Page 1 of 2");
  assert.ok(!page.url().includes("page="));
  assert.deepEqual(problems, []);
});

test("a new tenant's lists are empty; keys and invites have pages, each list its own", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  const { apiKey, tenantId } = await call("POST", "/auth/register", OWNER);
  const mine = { "X-API-Key": apiKey };
  for (const name of names("key", 30)) await call("POST", "/api-keys", { name }, mine);
  for (const name of names("guest", 30))
    await call("POST", `/tenants/${tenantId}/invites`, { email: `${name}@example.com` }, mine);
  await page.goto(`${url}/#key=${apiKey}`);
  await page.getByRole("heading", { name: "Overview" }).waitFor();

  await visit(page, "#/jobs");
  await page.getByText("There are no jobs yet.").waitFor();
  await page.goto(`${url}/#/jobs?status=DONE`);
  await page.getByText("No job matches.").waitFor();

  await visit(page, "#/settings/keys");
  await where(page, "Page 1 of 2 (31)"); // with the first key of all
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("row", { name: /First key/ }).waitFor();

  await visit(page, "#/settings/members");
  await page.getByRole("row", { name: OWNER.email }).waitFor();
  const invites = page.getByRole("navigation", { name: "Pages of invites" });
  assert.equal(await page.getByRole("navigation", { name: "Pages of members" }).count(), 0);
  await invites.getByRole("button", { name: "Next" }).click();
  await invites.getByText("Page 2 of 2 (30)").waitFor();
  assert.match(page.url(), /#\/settings\/members\?invites=2$/);
  await page.getByRole("row", { name: OWNER.email }).waitFor();
  assert.deepEqual(await faults(page), []);
  assert.deepEqual(problems, []);
});

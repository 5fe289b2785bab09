// Every page: what it shows, in light and dark, for a screen reader, on a small screen.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { call, enter, faults, open, shoot, url, visit } from "./browser.mjs";

const SMALL = { width: 360, height: 740 };
const LARGE = { width: 1280, height: 800 };
const OWNER = { email: "ada@example.com", password: "correct horse", name: "Ada" };

const ended = async (job) => {
  const found = await call("GET", `/jobs/${job.id}?wait=30`);
  assert.notEqual(found.status, "PROCESSING");
  return found;
};

// What the pages have to show.
const jobs = {};
before(async () => {
  const away = { url: "http://127.0.0.1:1/" };
  const submit = (type, payload, more) => call("POST", "/jobs", { type, payload, ...more });
  await call("POST", "/jobs/batch", {
    jobs: Array.from({ length: 30 }, (_, i) => ({
      type: "sleep",
      payload: { delayMs: 10 * i },
      tags: ["nightly", `part-${i % 3}`],
    })),
  });
  jobs.failed = await ended(await submit("http-request", away, { maxAttempts: 2, tags: ["hook"] }));
  jobs.report = await ended(
    await submit("generate-report", { format: "pdf" }, { webhookUrl: "http://127.0.0.1:1/hook" }),
  );
  jobs.streamed = await ended(
    await submit("stream-text", {
      text: "Piece by piece, until the stream has ended. ".repeat(4),
      delayMs: 1,
    }),
  );
  jobs.running = await submit("sleep", { delayMs: 600_000 });
  await submit("sleep", { delayMs: 1 }, { delayMs: 3_600_000 });
  await call("POST", "/schedules", {
    name: "nightly-report",
    cron: "0 3 * * *",
    type: "generate-report",
    timezone: "Europe/Berlin",
  });
  await call("POST", "/channels/chat:lobby/messages", { data: "Is anybody there?" });
  await call("POST", "/channels/chat:lobby/messages", {
    data: { text: "A message of a program", level: 3 },
  });
  await call("POST", "/auth/register", OWNER);
});

// Opens all that is folded; the labels that don't stand right above their fields.
function unfolded() {
  for (const one of document.querySelectorAll("main details")) one.open = true;
  const labels = [...document.querySelectorAll("main .field:not(.check) > label")];
  const down = (label) =>
    label.nextElementSibling.getBoundingClientRect().top - label.getBoundingClientRect().top;
  return labels.filter((label) => down(label) > 24).map((label) => label.textContent);
}

// Looks at each page in turn, and says all that is wrong at once.
async function look(page, pages) {
  const wrong = [];
  for (const [name, hash] of Object.entries(pages)) {
    await page.emulateMedia({ colorScheme: "light" });
    await visit(page, hash);
    const loose = await page.evaluate(unfolded);
    wrong.push(...loose.map((label) => `${name}: ${label} stands away from its field`));
    wrong.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
    await shoot(page, `${name}`);
    await page.emulateMedia({ colorScheme: "dark" });
    wrong.push(
      ...(await faults(page, ["color-contrast"])).map((fault) => `${name}, dark: ${fault}`),
    );
    await page.setViewportSize(SMALL);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > SMALL.width) wrong.push(`${name}: ${width} px wide on a screen of ${SMALL.width}`);
    const cut = await page.evaluate(() => {
      const tabs = document.querySelector(".tabs");
      return tabs !== null && tabs.scrollWidth > tabs.clientWidth;
    });
    if (cut) wrong.push(`${name}: not all tabs are seen on a screen of ${SMALL.width}`);
    await shoot(page, `${name}-small-dark`);
    await page.setViewportSize(LARGE);
  }
  assert.deepEqual(wrong, []);
}

test("what is open to everyone", async (t) => {
  const { tab, problems } = await open(t);
  await look(await tab(), {
    "sign-in": "#/sign-in",
    register: "#/register?invite=an-invite",
    forgotten: "#/forgotten",
    reset: "#/reset?token=a-token",
  });
  assert.deepEqual(problems, []);
});

test("what a service key shows", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await enter(page);
  await look(page, {
    overview: "#/",
    jobs: "#/jobs",
    "job-failed": `#/jobs/${jobs.failed.id}`,
    "job-report": `#/jobs/${jobs.report.id}`,
    "job-streamed": `#/jobs/${jobs.streamed.id}`,
    "job-running": `#/jobs/${jobs.running.id}`,
    submit: "#/submit",
    schedules: "#/schedules",
    channels: "#/channels",
    channel: "#/channels/chat:lobby",
    webhooks: "#/webhooks",
    "jobs-none": "#/jobs?tag=nobody&status=FAILED",
  });
  assert.deepEqual(problems, []);
});

test("what an owner administers", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await page.goto(`${url}/#/sign-in`);
  await page.getByLabel("Email").fill(OWNER.email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await look(page, {
    "overview-empty": "#/",
    "jobs-empty": "#/jobs",
    "schedules-empty": "#/schedules",
    account: "#/settings",
    keys: "#/settings/keys",
    members: "#/settings/members",
    tenant: "#/settings/tenant",
    "not-found": "#/nowhere",
  });
  assert.deepEqual(problems, []);
});

test("dialogs", async (t) => {
  const { tab, problems } = await open(t);
  const page = await tab();
  await enter(page);
  const wrong = [];
  const dialogs = [
    ["dialog-schedule", "#/schedules", "New schedule"],
    ["dialog-key", "#/settings/keys", "New key"],
    ["dialog-retry", `#/jobs/${jobs.failed.id}`, "Retry with edited input…"],
    ["dialog-delete", `#/jobs/${jobs.failed.id}`, "Delete"],
    ["dialog-redeliver", "#/webhooks", "Redeliver what failed…"],
    ["dialog-bulk", "#/jobs?status=FAILED", "All that match…"],
  ];
  for (const [name, hash, button] of dialogs) {
    await visit(page, hash);
    await page.locator("main").getByRole("button", { name: button, exact: true }).click();
    await page.getByRole("dialog").waitFor();
    wrong.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
    await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await page.getByLabel("Choose all on this page").check();
  wrong.push(...(await faults(page)).map((fault) => `chosen: ${fault}`));
  await page.screenshot({ path: `${process.env.SHOTS}/jobs-chosen.png` });
  assert.deepEqual(wrong, []);
  assert.deepEqual(problems, []);
});

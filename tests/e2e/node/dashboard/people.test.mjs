// Who comes in, what each may see, and going out again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call, open, url, visit } from "./browser.mjs";

const PASSWORD = "correct horse";

async function register(page, email, hash = "#/register") {
  await page.goto(`${url}/${hash}`);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByRole("dialog").getByText("jc_").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

async function signIn(page, email, { password = PASSWORD, keep = false } = {}) {
  await page.goto(`${url}/#/sign-in`);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  if (keep) await page.getByLabel("Keep me signed in").first().check();
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("an owner invites a member, who sees less", async (t) => {
  const first = await open(t);
  const owner = await first.tab();
  await register(owner, "owner@example.com");
  await visit(owner, "#/settings/members");
  await owner.getByRole("button", { name: "Invite someone" }).click();
  await owner.getByRole("dialog").getByLabel("Email").fill("member@example.com");
  await owner.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
  const link = await owner
    .getByRole("dialog")
    .locator("code", { hasText: "invite=" })
    .textContent();
  await owner.getByRole("dialog").getByRole("button", { name: "Done" }).click();
  await owner.getByRole("row", { name: /member@example.com/ }).waitFor();

  const second = await open(t);
  const member = await second.tab();
  await register(member, "member@example.com", link.slice(link.indexOf("#")));
  assert.ok(!member.url().includes("invite="), "the invite is gone from the address");
  await member.getByRole("heading", { name: "Queues" }).waitFor();
  assert.equal(await member.getByRole("heading", { name: "Workers" }).count(), 0);
  assert.equal(await member.getByRole("button", { name: /Pause/ }).count(), 0);
  await visit(member, "#/settings/members");
  assert.deepEqual(await member.locator(".tabs a").allTextContents(), ["Account"]);

  await visit(owner, "#/settings/account");
  await visit(owner, "#/settings/members");
  await owner.getByRole("button", { name: "Remove member@example.com" }).click();
  await owner.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await member.getByText("Your session has ended").waitFor();
  assert.deepEqual(first.problems, []);
});

test("a key is made with few scopes and shows only what it may, until it is revoked", async (t) => {
  const { tab, problems } = await open(t);
  const owner = await tab();
  await register(owner, "keys@example.com");
  await visit(owner, "#/settings/keys");
  await owner.getByRole("button", { name: "New key" }).click();
  const dialog = owner.getByRole("dialog");
  await dialog.getByLabel("Name").fill("reader");
  await dialog.getByLabel("Submit and change jobs").uncheck();
  await dialog.getByLabel("Take part in channels").uncheck();
  await dialog.getByRole("button", { name: "Create" }).click();
  const key = await dialog.locator("code", { hasText: "jc_" }).textContent();
  await dialog.getByRole("button", { name: "Done" }).click();

  const reader = await tab();
  await reader.goto(`${url}/#/sign-in`);
  await reader.getByText("Use an API key instead").click();
  await reader.getByLabel("API key").fill(key);
  await reader.getByRole("button", { name: "Sign in with the key" }).click();
  await reader.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(await reader.getByRole("link", { name: "Channels" }).count(), 0);
  assert.equal(await reader.getByRole("link", { name: "Submit a job" }).count(), 0);
  assert.deepEqual(problems, []);

  await owner.getByRole("button", { name: "Revoke reader" }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await reader.getByText("Your session has ended").waitFor();
});

test("tabs share a login that is kept; signing out ends it in all of them", async (t) => {
  const { tab, problems } = await open(t);
  await call("POST", "/auth/register", { email: "tabs@example.com", password: PASSWORD });
  const page = await tab();
  await signIn(page, "tabs@example.com", { password: "something else" });
  await page.getByRole("alert").filter({ hasText: "Invalid email or password" }).waitFor();
  problems.length = 0; // the browser's word for that 401
  await signIn(page, "tabs@example.com", { keep: true });
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  const other = await tab();
  await other.goto(`${url}/#/settings`);
  await other.getByText("This one").waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();

  await other.getByLabel("Current password").fill(PASSWORD);
  await other.getByLabel("New password").fill("battery staple");
  await other.getByRole("button", { name: "Change password" }).click();
  await other.getByText("Changed.").waitFor();

  await page.locator("#sign-out").click();
  await other.getByText("Signed out in another tab.").waitFor();
  await signIn(page, "tabs@example.com", { password: "battery staple" });
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.deepEqual(problems, []);
});

test("a link from a mail leads to its page; the theme is kept", async (t) => {
  const { tab } = await open(t, { colorScheme: "light" });
  const page = await tab();
  await page.goto(`${url}/#/reset?token=jc_unknown`);
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("alert").waitFor();
  assert.ok(!page.url().includes("token="), "the token is gone from the address");
  await page.getByRole("button", { name: "Dark theme" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Light theme" }).waitFor();
  assert.equal(
    await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme),
    "dark",
  );
});

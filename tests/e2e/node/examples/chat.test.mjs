// Two people in the chat, each on a gateway of their own.
import assert from "node:assert/strict";
import { test } from "node:test";

import { tab } from "./browser.mjs";

async function join(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

const status = (page, text) => page.getByRole("status").filter({ hasText: text }).waitFor();

test("both see who is there, and hear what is said now and was said before", async (t) => {
  const ada = await tab(t);
  await join(ada, "Ada");
  await status(ada, "You alone are here, on ");
  await ada.getByLabel("Message").fill("is <b>anybody</b> here?");
  await ada.getByRole("button", { name: "Send" }).click();
  await ada.getByText("Ada: is <b>anybody</b> here?").waitFor();

  const bob = await tab(t);
  await join(bob, "Bob");
  await bob.getByText("Ada: is <b>anybody</b> here?").waitFor();
  await bob.getByLabel("Message").fill("yes, me");
  await bob.keyboard.press("Enter");
  for (const page of [ada, bob]) {
    await page.getByText("Bob: yes, me").waitFor();
    await status(page, "2 are here, on ");
  }
  const places = await Promise.all([ada, bob].map((page) => page.locator("#state").textContent()));
  assert.equal(new Set(places).size, 2, places.join());

  await bob.close();
  await status(ada, "You alone are here, on ");
});

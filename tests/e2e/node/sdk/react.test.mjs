// The React hook, rendered by React itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import React from "react";
import TestRenderer from "react-test-renderer";
import { useJob } from "@jobcast/client/react";
import { JOB, client, event, fake, seqs } from "./fake.mjs";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const { act } = React;
const complain = console.error;
console.error = (text, ...more) =>
  String(text).includes("react-test-renderer is deprecated") || complain(text, ...more);

/** Shows `useJob(jobcast, id)`; `views` are all that it gave, `until` waits for one. */
async function shown(t, jobcast, id) {
  const views = [];
  const Shown = ({ id }) => (views.push(useJob(jobcast, id)), null);
  const strict = (id) =>
    React.createElement(React.StrictMode, null, React.createElement(Shown, { id }));
  let root;
  await act(async () => (root = TestRenderer.create(strict(id))));
  t.after(() => act(async () => root.unmount()));
  return {
    views,
    show: (id) => act(async () => root.update(strict(id))),
    unmount: () => act(async () => root.unmount()),
    async until(right) {
      while (!right(views.at(-1)))
        await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
      return views.at(-1);
    },
  };
}

test("a job is shown as its events come; a new attempt voids what the one before put out", async (t) => {
  let goOn;
  const seen = new Promise((resolve) => (goOn = resolve));
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed();
    connection.say(event(1, "job:pending", { attempt: 0 }));
    connection.say(event(2, "job:processing"));
    connection.say(event(3, "job:output", { data: "void" }));
    connection.say(event(4, "job:progress", { percent: 40, note: "half" }));
    connection.say(event(5));
    await seen;
    connection.say(event(6, "job:retrying", { error: "boom", status: "PENDING" }));
    connection.say(event(7, "job:processing", { attempt: 2 }));
    connection.say(event(8, "job:output", { data: { n: 1 }, attempt: 2 }));
    connection.say(event(9, "job:done", { result: { ok: true }, attempt: 2 }));
  });
  const page = await shown(t, client(t, url), JOB);
  assert.deepEqual([page.views[0].status, page.views[0].events], [null, []]);

  const half = await page.until(({ events }) => events.length === 5);
  assert.equal(half.status, "PROCESSING");
  assert.deepEqual(half.output, ["void"]);
  assert.deepEqual(half.progress, { percent: 40, note: "half" });
  assert.deepEqual(
    half.logs.map(({ message }) => message),
    ["line 5"],
  );
  assert.equal(half.connection.state, "open");
  goOn();

  const done = await page.until(({ status }) => status === "DONE");
  assert.deepEqual(done.result, { ok: true });
  assert.deepEqual(done.output, [{ n: 1 }]);
  assert.deepEqual([done.error, done.progress], [null, null]);
  assert.deepEqual(
    done.events.map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.deepEqual(half.output, ["void"]); // what was given does not change
});

test("another id is another job; no id is none; unmounted, nothing is watched", async (t) => {
  const other = JOB.replace(/1$/, "2");
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const watched = [];
    connection.socket.on("message", (data) => {
      const { type, jobId } = JSON.parse(data);
      if (type === "unsubscribe") watched.splice(watched.indexOf(jobId), 1);
      if (type === "subscribe") watched.push(jobId);
      if (type === "subscribe" || type === "unsubscribe") told(watched);
    });
    for (;;) {
      const { type, id, jobId, seq = 1 } = await connection.any();
      if (type !== "subscribe") continue;
      connection.say({
        type: "subscribed",
        id,
        jobId,
        seq,
        job: { id: jobId, status: "PROCESSING" },
      });
      connection.say(event(1, "job:processing", { jobId }));
    }
  });
  let watched;
  let wake = () => {};
  const told = (now) => ((watched = [...now]), wake());
  const watches = async (ids) => {
    while (JSON.stringify(watched) !== JSON.stringify(ids)) await new Promise((r) => (wake = r));
  };
  const page = await shown(t, client(t, url), JOB);
  await page.until(({ events }) => events[0]?.jobId === JOB);

  await page.show(other);
  await page.until(({ events }) => events[0]?.jobId === other);
  await watches([other]);
  await page.show(null);
  assert.deepEqual(page.views.at(-1).events, []);
  await watches([]);
  await page.show(JOB);
  await page.until(({ events }) => events[0]?.jobId === JOB);
  await page.unmount();
  await watches([]);
});

test("hidden and shown again, it goes on where it was", async (t) => {
  const asked = [];
  const url = await fake(t, async (connection) => {
    await connection.greet();
    asked.push(await connection.subscribed({ seq: 2 }));
    connection.say(event(1));
    connection.say(event(2));
    await connection.next("unsubscribe");
    asked.push(await connection.subscribed({ seq: 2 }));
    connection.say(event(3, "job:done", { result: 1 }));
  });
  const jobcast = client(t, url);
  let view;
  const Shown = () => ((view = useJob(jobcast, JOB)), null);
  const within = (mode) =>
    React.createElement(React.Activity, { mode }, React.createElement(Shown));
  let root;
  const until = async (right) => {
    while (!right()) await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
  };
  await act(async () => (root = TestRenderer.create(within("visible"))));
  await until(() => view.events.length === 2);

  await act(async () => root.update(within("hidden")));
  await act(async () => root.update(within("visible")));
  await until(() => view.status === "DONE");

  assert.deepEqual(asked, [0, 2]);
  assert.deepEqual(seqs(view.events), [1, 2, 3]);
  await act(async () => root.unmount());
});

test("a job that can't be watched says why", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const { id } = await connection.next("subscribe");
    connection.say({ type: "error", id, code: "NOT_FOUND", message: "Job not found" });
  });
  const page = await shown(t, client(t, url), JOB);

  const { error } = await page.until(({ error }) => error);

  assert.equal(error.code, "NOT_FOUND");
});

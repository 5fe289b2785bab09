// Watches of jobs, tenants and channels, over servers that break off, skip and repeat.
import assert from "node:assert/strict";
import { test } from "node:test";
import { JobFailed } from "@jobcast/client";
import { JOB, all, client, event, fake, refusedWith, seqs, stands } from "./fake.mjs";

test("a watch goes on where a lost connection broke it, and drops what comes twice", async (t) => {
  const asked = [];
  const url = await fake(t, async (connection, number) => {
    assert.deepEqual(await connection.greet(), { type: "auth", key: "jc_1" });
    asked.push(await connection.subscribed({ seq: 2 }));
    if (number === 1) {
      connection.say(event(1));
      connection.say(event(2));
      connection.close(3008, "Reads too slowly");
      return;
    }
    connection.say(event(2));
    connection.say(event(3));
    connection.say(event(4, "job:done", { result: { ok: true } }));
  });

  const events = await all(client(t, url).job(JOB).events());

  assert.deepEqual(seqs(events), [1, 2, 3, 4]);
  assert.deepEqual(asked, [0, 2]);
});

test("messages of strange content and unknown types are passed over", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed();
    for (const strange of [
      { type: "brand-new", jobId: JOB, seq: 1 },
      { type: "job:log", jobId: JOB },
      { type: "job:log", jobId: JOB, seq: "1" },
      { type: "job:log", jobId: JOB, seq: 1.5 },
      { type: "job:log", jobId: 7, seq: 1 },
      { type: "gap", jobId: JOB, from: 1, to: "x" },
      { type: "subscribed", id: 99, jobId: JOB, seq: 50 },
      { type: "error", id: "who?", code: 7, message: 7 },
      { type: "message", channel: "never:joined", offset: 1 },
    ])
      connection.say(strange);
    connection.say(event(1));
    connection.say(event(2, "job:done", { result: 1 }));
  });

  assert.deepEqual(seqs(await all(client(t, url).job(JOB).events())), [1, 2]);
});

test("what a server leaves out is said by a gap", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed();
    connection.say(event(1));
    connection.say(event(4));
    connection.say({ type: "gap", jobId: JOB, from: 5, to: 7 });
    connection.say(event(8, "job:done", { result: 1 }));
  });

  const events = await all(client(t, url).job(JOB).events());

  assert.deepEqual(
    events.map(({ type, seq, from, to }) => (type === "gap" ? [from, to] : seq)),
    [1, [2, 3], 4, [5, 7], 8],
  );
});

test("a job that is deleted while it is watched ends the watch", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    for (;;) {
      await connection.subscribed({ seq: 3 });
      connection.say({ type: "gap", jobId: JOB, from: 4, to: null });
      await connection.next("unsubscribe");
    }
  });
  const job = client(t, url).job(JOB);

  assert.deepEqual(
    (await all(job.events({ after: 3 }))).map(({ to }) => to),
    [null],
  );
  await assert.rejects(job.result(), refusedWith("NOT_FOUND"));
});

test("a job that has ended ends a watch that has seen it, and tells another its end", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    for (;;) {
      const after = await connection.subscribed({ seq: 4, status: "FAILED" });
      if (after === undefined) connection.say(event(4, "job:failed", { error: "boom" }));
      await connection.next("unsubscribe");
    }
  });
  const job = client(t, url).job(JOB);

  assert.deepEqual(await all(job.events({ after: 4 })), []);
  assert.deepEqual(await all(job.events({ after: 9 })), []);
  assert.deepEqual(seqs(await all(job.events({ after: null }))), [4]);
  await assert.rejects(job.result(), (error) => {
    assert.ok(error instanceof JobFailed);
    assert.deepEqual([error.jobId, error.status, error.error], [JOB, "FAILED", "boom"]);
    return true;
  });
});

test("a watch from beyond the newest event sees every new one", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed({ seq: 4 });
    connection.say(event(5));
    connection.say(event(6, "job:done", { result: 1 }));
  });

  assert.deepEqual(seqs(await all(client(t, url).job(JOB).events({ after: 9 }))), [5, 6]);
});

test("an end that a retry has undone does not end a watch", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed({ seq: 4 });
    connection.say(event(1, "job:failed", { error: "boom" }));
    connection.say(event(2, "job:pending"));
    connection.say(event(3));
    connection.say(event(4));
    connection.say(event(5, "job:done", { result: 1 }));
  });

  assert.deepEqual(seqs(await all(client(t, url).job(JOB).events())), [1, 2, 3, 4, 5]);
});

test("many watches of a job share a subscription, each from where it stands", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    assert.equal(await connection.subscribed({ seq: 2 }), 1);
    connection.say(event(2));
    await connection.next("unsubscribe");
    connection.say(event(3)); // on its way while the second one asks
    assert.equal(await connection.subscribed({ seq: 3 }), 0);
    for (const seq of [1, 2, 3]) connection.say(event(seq));
    connection.say(event(4, "job:done", { result: 1 }));
  });
  const job = client(t, url).job(JOB.toUpperCase());
  const first = job.events({ after: 1 });
  const seen = [(await first.next()).value];

  const second = all(job.events({ after: 0 }));
  seen.push(...(await all(first)));

  assert.deepEqual(seqs(seen), [2, 3, 4]);
  assert.deepEqual(seqs(await second), [1, 2, 3, 4]);
});

test("a watch that joins before another's answer waits for its own", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const first = await connection.next("subscribe");
    await connection.next("unsubscribe");
    const second = await connection.next("subscribe");
    assert.deepEqual([first.after, second.after], [1, 0]);
    for (const { id } of [first, second]) {
      connection.say({ type: "subscribed", id, jobId: JOB, seq: 2, job: {}, recovered: true });
      if (id === first.id) connection.say(event(2));
    }
    for (const seq of [1, 2]) connection.say(event(seq));
    connection.say(event(3, "job:done", { result: 1 }));
  });
  const jobcast = client(t, url);
  const job = jobcast.job(JOB);
  const first = all(job.events({ after: 1 }));
  await stands(jobcast, "open");
  const second = all(job.events());

  assert.deepEqual(seqs(await first), [2, 3]);
  assert.deepEqual(seqs(await second), [1, 2, 3]);
});

test("a signal that is aborted in a loop ends it before the next event", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed({ seq: 3 });
    for (const seq of [1, 2, 3]) connection.say(event(seq));
    await connection.received();
    received();
  });
  let received;
  const full = new Promise((resolve) => (received = resolve));
  const aborting = new AbortController();
  const seen = [];
  const reading = (async () => {
    for await (const { seq } of client(t, url).job(JOB).events({ signal: aborting.signal })) {
      seen.push(seq);
      await full;
      aborting.abort();
    }
  })();

  await assert.rejects(reading, { name: "AbortError" });
  assert.deepEqual(seen, [1]);
});

test("a reader that falls behind is served again from where it stands", async (t) => {
  const last = 10_005;
  const asked = [];
  let sent;
  const received = new Promise((resolve) => (sent = resolve));
  const url = await fake(t, async (connection) => {
    await connection.greet();
    for (let first = 1; ;) {
      first = 1 + asked[asked.push(await connection.subscribed({ seq: last })) - 1];
      for (let seq = first; seq < last; seq++) connection.say(event(seq));
      connection.say(event(last, "job:done", { result: 1 }));
      await connection.received();
      sent();
      await connection.next("unsubscribe");
    }
  });
  const events = client(t, url).job(JOB).events();
  const first = await events.next();
  await received; // the reader is busy elsewhere
  const found = [first.value, ...(await all(events))];

  assert.equal(found.length, last);
  assert.ok(found.every(({ seq }, index) => seq === index + 1));
  assert.equal(asked.length, 2);
});

test("a refused subscription is thrown, one refused for now is asked for again", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const refused = {
      type: "error",
      code: "TOO_MANY_SUBSCRIPTIONS",
      message: "128",
      temporary: true,
    };
    connection.say({ ...refused, id: (await connection.next("subscribe")).id });
    await connection.subscribed();
    connection.say(event(1, "job:done", { result: 1 }));
    await connection.next("unsubscribe");
    const error = { type: "error", code: "NOT_FOUND", message: "Job not found", temporary: false };
    connection.say({ ...error, id: (await connection.next("subscribe")).id });
  });
  const job = client(t, url).job(JOB);

  assert.equal(await job.result(), 1);
  await assert.rejects(all(job.events()), refusedWith("NOT_FOUND"));
});

test("a tenant's events go on from the cursor, and say it where that is lost", async (t) => {
  const url = await fake(t, async (connection, number) => {
    await connection.greet();
    const { id, tenantId, after } = await connection.next("subscribe");
    assert.deepEqual([tenantId, after], ["t1", [undefined, "8", "9"][number - 1]]);
    const cursor = ["7", "8", "2"][number - 1];
    connection.say({ type: "subscribed", id, tenantId, cursor, recovered: number < 3 });
    connection.say(event(1, "job:pending", { cursor: ["8", "9", "3"][number - 1] }));
    if (number < 3) connection.close(1012);
  });
  const found = [];
  for await (const event of client(t, url).events()) {
    found.push(event.type === "gap" ? event : event.cursor);
    if (event.cursor === "3") break;
  }

  assert.deepEqual(found, ["8", "9", { type: "gap", tenantId: "t1", from: "9", to: "2" }, "3"]);
});

test("a channel keeps what came before anybody took messages, and is left and joined anew", async (t) => {
  const message = (offset) => ({ type: "message", channel: "a", offset, data: offset });
  const joins = [];
  const url = await fake(t, async (connection) => {
    await connection.greet();
    for (const offset of [1, 2, 3]) {
      const { id, after } = await connection.next("join");
      joins.push(after);
      const standing = { channel: "a", count: 1, users: 1, offset: 0, epoch: "e", recovered: true };
      connection.say({ type: "joined", id, ...standing });
      connection.say(message(offset));
      connection.say({ type: "presence", channel: "a", count: 2, users: 2 });
      const left = await connection.next("leave");
      connection.say({ type: "left", id: left.id, channel: "a" });
    }
  });
  const channel = client(t, url).channel("a");
  const crowds = [];
  const two = () =>
    new Promise((resolve) => {
      const off = channel.on("presence", ({ count }) => {
        crowds.push(count);
        if (count === 2) resolve(off());
      });
    });
  const crowded = two();
  await channel.join();
  await crowded;
  const said = [];
  const off = channel.on("message", ({ data }) => said.push(data));
  assert.deepEqual([said, crowds], [[1], [1, 2]]);
  off();
  const { position } = channel;
  await channel.leave();

  await channel.join(position);
  for await (const { data } of channel) if (data === 2) break;
  await channel.leave();
  await channel.join();
  await channel.leave();

  assert.deepEqual(joins, [undefined, 1, undefined]);
  await assert.rejects(channel.join({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("a channel is joined again with what was missed, and a lost history is said", async (t) => {
  const message = (offset) => ({ type: "message", channel: "chat:1", offset, data: offset });
  const joins = [];
  const url = await fake(t, async (connection, number) => {
    await connection.greet();
    const { id, channel, after, epoch } = await connection.next("join");
    joins.push([after, epoch]);
    const answers = [
      { offset: 2, epoch: "e1", recovered: true },
      { offset: 4, epoch: "e1", recovered: true },
      { offset: 1, epoch: "e2", recovered: false },
    ];
    connection.say({
      type: "joined",
      id,
      channel,
      count: number,
      users: 1,
      ...answers[number - 1],
    });
    for (const offset of [[3], [3, 4], [1]][number - 1]) connection.say(message(offset));
    if (number < 3) connection.close(1012);
  });
  const channel = client(t, url).channel("chat:1");

  assert.equal((await channel.join()).offset, 2);
  const found = [];
  for await (const event of channel) {
    found.push(event.data ?? event.count ?? [event.from, event.epoch]);
    if (event.data === 1) break;
  }

  assert.deepEqual(joins, [
    [undefined, undefined],
    [3, "e1"],
    [4, "e1"],
  ]);
  assert.deepEqual(found, [1, 3, 2, 4, [5, "e2"], 3, 1]);
  assert.deepEqual(channel.position, { after: 1, epoch: "e2" });
});

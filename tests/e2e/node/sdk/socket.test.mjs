// The socket against servers that break, lie, stall and send away.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import WebSocket from "ws";
import { Jobcast, JobcastError, JobFailed } from "@jobcast/client";
import { JOB, all, event, fake, stands } from "./fake.mjs";

const GOLDEN = JSON.parse(readFileSync(process.env.GOLDEN));
const seqs = (events) => events.map(({ seq }) => seq);

function client(t, url, options = {}) {
  const jobcast = new Jobcast({ url, apiKey: "jc_1", WebSocket, ...options });
  t.after(() => jobcast.close());
  return jobcast;
}

const refusedWith = (code) => (error) => {
  assert.ok(error instanceof JobcastError, error);
  assert.equal(error.code, code);
  return true;
};

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

for (const garbage of ["no JSON", "[1]", "null", '{"no":"type"}', Buffer.from([1, 2])])
  test(`${garbage} for a message costs the connection, and nothing else`, async (t) => {
    const url = await fake(t, async (connection, number) => {
      await connection.greet();
      assert.equal(await connection.subscribed({ seq: number }), number - 1);
      connection.say(event(number));
      if (number === 1) connection.raw(garbage);
      else connection.say(event(3, "job:done", { result: 1 }));
    });

    assert.deepEqual(seqs(await all(client(t, url).job(JOB).events())), [1, 2, 3]);
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

  assert.deepEqual((await all(job.events({ after: 3 }))).map(({ to }) => to), [null]);
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

test("a reader that falls behind is served again from where it stands", async (t) => {
  const last = 10_005;
  const asked = [];
  let sent;
  const received = new Promise((resolve) => (sent = resolve));
  const url = await fake(t, async (connection) => {
    await connection.greet();
    for (let first = 1; ; ) {
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

test("a server that falls silent is left for another connection", async (t) => {
  const url = await fake(t, async (connection, number) => {
    connection.mute = number === 1;
    await connection.greet({ heartbeatMs: 100 });
    await connection.subscribed({ seq: 0 });
    if (number === 2) connection.say(event(1, "job:done", { result: "late" }));
  });

  assert.equal(await client(t, url).job(JOB).result(), "late");
});

test("a draining server says when to come back", async (t) => {
  const url = await fake(t, async (connection, number) => {
    await connection.greet();
    await connection.subscribed();
    if (number === 2) return connection.say(event(1, "job:done", { result: 1 }));
    connection.say({ type: "server:draining", reconnectInMs: 37 });
    connection.close(1012, "The server restarts; reconnect");
  });
  const jobcast = client(t, url);
  const waiting = stands(jobcast, "waiting");

  assert.equal(await jobcast.job(JOB).result(), 1);
  assert.equal((await waiting).inMs, 37);
});

for (const code of [1000, 1002, 1008, 3501, 3999])
  test(`a socket that is closed with ${code} stays closed`, async (t) => {
    let connections = 0;
    const url = await fake(t, async (connection) => {
      connections++;
      await connection.greet();
      await connection.subscribed();
      connection.close(code, "for good");
    });
    const jobcast = client(t, url);

    await assert.rejects(
      jobcast.job(JOB).result(),
      refusedWith(code === 1008 ? "UNAUTHORIZED" : "DISCONNECTED"),
    );
    assert.equal(jobcast.connection.state, "closed");
    assert.equal(jobcast.connection.error.message, "for good");
    assert.equal(connections, 1);
  });

test("a token that is refused is renewed once, and not again", async (t) => {
  const shown = [];
  const url = await fake(t, async (connection) => {
    shown.push((await connection.next("auth")).token);
    connection.close(1008, "Token expired");
  });
  let number = 0;
  const getToken = async () => `token ${++number}`;

  const jobcast = client(t, url, { apiKey: undefined, getToken });
  await assert.rejects(jobcast.job(JOB).result(), refusedWith("UNAUTHORIZED"));

  assert.deepEqual(shown, ["token 1", "token 2"]);
});

test("a token that is about to end is renewed on the open socket", async (t) => {
  const url = await fake(t, async (connection) => {
    assert.equal((await connection.greet()).token, "old");
    await connection.subscribed();
    connection.say({ type: "token:expiring", expiresAt: "2026-11-22T21:31:52.124Z" });
    const { id, token } = await connection.next("auth");
    connection.say({ type: "authenticated", id, tenantId: "t1", userId: null, expiresAt: null });
    connection.say(event(1, "job:done", { result: token }));
  });
  const getToken = (stale) => `instead of ${stale}`;
  const jobcast = client(t, url, { apiKey: undefined, token: "old", getToken });

  assert.equal(await jobcast.job(JOB).result(), "instead of old");
});

test("a refused subscription is thrown, one refused for now is asked for again", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const refused = { type: "error", code: "TOO_MANY_SUBSCRIPTIONS", message: "128", temporary: true };
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
    connection.say({ type: "joined", id, channel, count: number, users: 1, ...answers[number - 1] });
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

  assert.deepEqual(joins, [[undefined, undefined], [3, "e1"], [4, "e1"]]);
  assert.deepEqual(found, [1, 3, 2, 4, [5, "e2"], 3, 1]);
  assert.deepEqual(channel.position, { after: 1, epoch: "e2" });
});

test("a message under way when the connection is lost is not said twice", async (t) => {
  let said = 0;
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.next("publish");
    said++;
    connection.close(1012);
  });
  const jobcast = client(t, url);

  await assert.rejects(jobcast.channel("chat:1").publish("hi"), refusedWith("DISCONNECTED"));
  assert.equal(said, 1);
});

test("a message too big is refused, and what is watched goes on", async (t) => {
  const url = await fake(t, async (connection, number) => {
    await connection.greet();
    await connection.subscribed();
    if (number === 2) return connection.say(event(1, "job:done", { result: 1 }));
    await connection.next("publish");
    connection.close(1009, "Message too big");
  });
  const jobcast = client(t, url);
  const result = jobcast.job(JOB).result();

  await assert.rejects(jobcast.channel("a").publish("x"), refusedWith("DISCONNECTED"));
  assert.equal(await result, 1);
});

test("paused, there is no socket; resumed, the watch goes on", async (t) => {
  const url = await fake(t, async (connection, number) => {
    await connection.greet();
    assert.equal(await connection.subscribed({ seq: number - 1 }), number - 1);
    connection.say(event(number, number === 2 ? "job:done" : "job:log", { result: 1 }));
  });
  const jobcast = client(t, url);
  const events = jobcast.job(JOB).events();
  await events.next();

  jobcast.pause();
  assert.equal(jobcast.connection.state, "closed");
  jobcast.resume();

  assert.deepEqual(seqs(await all(events)), [2]);
});

test("closed, iterators end, promises are rejected, and nothing stays open", async (t) => {
  let left;
  const gone = new Promise((resolve) => (left = resolve));
  const url = await fake(t, async (connection) => {
    connection.socket.on("close", left);
    await connection.greet();
    await connection.subscribed();
    connection.say(event(1));
  });
  const jobcast = client(t, url);
  const events = jobcast.job(JOB).events();
  await events.next();
  const result = assert.rejects(jobcast.job(JOB).result(), refusedWith("CLOSED"));
  const rest = all(events);

  jobcast.close();

  assert.deepEqual(await rest, []);
  await result;
  await gone;
});

test("a signal ends a wait with its own reason", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed();
  });
  const jobcast = client(t, url);
  const reason = new Error("enough");
  const aborting = new AbortController();
  const waits = [
    jobcast.job(JOB).result({ signal: aborting.signal }),
    jobcast.events({ signal: aborting.signal }).next(),
    jobcast.channel("a").join({ signal: aborting.signal }),
    jobcast.channel("b").publish(1, { signal: aborting.signal }),
  ].map((wait) => assert.rejects(wait, (error) => error === reason));

  aborting.abort(reason);

  await Promise.all(waits);
});

test("without a WebSocket, or credentials, that is what is said", async (t) => {
  const had = globalThis.WebSocket;
  globalThis.WebSocket = undefined;
  t.after(() => (globalThis.WebSocket = had));
  const bare = client(t, "http://127.0.0.1:9", { WebSocket: undefined });
  const nobody = client(t, "http://127.0.0.1:9", { apiKey: undefined });

  await assert.rejects(bare.job(JOB).result(), /Install npm's ws/);
  await assert.rejects(nobody.job(JOB).result(), /Give Jobcast an apiKey/);
});

test("every frame that the server can send is taken", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    await connection.subscribed();
    for (const [name, text] of Object.entries(GOLDEN.frames)) {
      const { type, seq } = JSON.parse(text);
      // What would end the watch comes last; the gap would pass over it.
      if (type === "server:draining" || seq === 7 || name === "gap, job") continue;
      connection.raw(text.replace(/"id":\d+/, '"id":999'));
    }
    connection.raw(GOLDEN.frames["job:done"]);
  });

  const events = await all(client(t, url).job(JOB).events());

  const types = new Set(events.map(({ type }) => type));
  for (const kind of ["pending", "processing", "progress", "log", "output", "retrying", "done"])
    assert.ok(types.has(`job:${kind}`), kind);
  assert.deepEqual(events.at(-1), JSON.parse(GOLDEN.frames["job:done"]));
});

test("every command that is sent is one that the server knows", async (t) => {
  const known = Object.values(GOLDEN.commands).map((text) => JSON.parse(text));
  const sent = [];
  const url = await fake(t, async (connection) => {
    connection.socket.on("message", (data) => sent.push(JSON.parse(data)));
    await connection.greet();
  });
  const jobcast = client(t, url);
  const open = stands(jobcast, "open");
  const aborting = new AbortController();
  const { signal } = aborting;
  const ends = [
    all(jobcast.job(JOB).events({ after: 3, signal })),
    all(jobcast.events({ tenantId: "t1", after: "7", signal })),
    jobcast.channel("chat:1").join({ after: 15, epoch: "e1", signal }),
    jobcast.channel("chat:1").publish({ text: "hi" }, { signal }),
  ].map((end) => end.catch(() => {}));
  await open;
  void jobcast.channel("chat:1").leave();
  aborting.abort();
  await Promise.all(ends);
  while (!sent.some(({ type }) => type === "leave")) await new Promise(setImmediate);

  assert.ok(sent.length >= 6);
  for (const command of sent) {
    const like = known.filter(({ type }) => type === command.type);
    const keys = Object.keys(command).filter((key) => key !== "id");
    assert.ok(
      like.some((one) => keys.every((key) => typeof one[key] === typeof command[key])),
      JSON.stringify(command),
    );
  }
});

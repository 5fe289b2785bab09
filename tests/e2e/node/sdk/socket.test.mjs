// The socket against servers that break, lie, stall and send away.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { JOB, all, client, event, fake, refusedWith, seqs, stands } from "./fake.mjs";

const GOLDEN = JSON.parse(readFileSync(process.env.GOLDEN));

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

test("when the network is back, or the tab, it is tried at once", async (t) => {
  const heard = new Map();
  const target = {
    addEventListener: (name, listener) => heard.set(name, listener),
    removeEventListener: (name) => heard.delete(name),
  };
  Object.assign(globalThis, target, { document: { ...target, hidden: false } });
  t.after(() => {
    for (const name of ["addEventListener", "removeEventListener", "document"])
      delete globalThis[name];
  });
  const url = await fake(t, async (connection, number) => {
    if (number < 3) return connection.close(1012);
    await connection.greet();
    await connection.subscribed();
    connection.say(event(1, "job:done", { result: number }));
  });
  const jobcast = client(t, url);
  const result = jobcast.job(JOB).result();

  await stands(jobcast, "waiting");
  document.hidden = true;
  heard.get("visibilitychange")();
  assert.equal(jobcast.connection.state, "waiting");
  document.hidden = false;
  heard.get("visibilitychange")();
  assert.equal(jobcast.connection.state, "connecting");
  await stands(jobcast, "waiting");
  heard.get("online")();
  assert.equal(jobcast.connection.state, "connecting");

  assert.equal(await result, 3);
  jobcast.close();
  assert.equal(heard.size, 0);
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

test("what is no JSON is refused before there is a connection, and harms nothing", async (t) => {
  const url = await fake(t, async (connection) => {
    await connection.greet();
    const { id, data } = await connection.next("publish");
    connection.say({ type: "published", id, channel: "a", offset: data });
  });
  const channel = client(t, url).channel("a");

  await assert.rejects(channel.publish(1n), TypeError);
  assert.deepEqual(await channel.publish(7), { offset: 7 });
});

test("a server that answers pings but not commands is left for another connection", async (t) => {
  const url = await fake(t, async (connection, number) => {
    await connection.greet({ heartbeatMs: 100 });
    if (number === 2) {
      await connection.subscribed();
      return connection.say(event(1, "job:done", { result: 1 }));
    }
    await connection.next("subscribe");
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 31_000 });
  });

  assert.equal(await client(t, url).job(JOB).result(), 1);
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

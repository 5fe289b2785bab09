// The SDK against a real server, over a network that breaks. URL, KEY: of the server; CONTROL: where
// to post for it to be killed and started again.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { JobFailed } from "@jobcast/client";
import { all, client as make, seqs, stands } from "./fake.mjs";
import { relay } from "./relay.mjs";

const { KEY: apiKey, CONTROL } = process.env;
let { URL: url } = process.env;

async function restart() {
  ({ url } = await (await fetch(CONTROL, { method: "POST" })).json());
}

const client = (t, options) => make(t, url, { apiKey, ...options });
const numbers = (to) => Array.from({ length: to }, (_, index) => index + 1);

test("a job is submitted, watched to its end, and tells what it has left", async (t) => {
  const jobcast = client(t);
  const tag = randomUUID();
  const job = await jobcast.submit("leaves-a-file", {}, { tags: [tag], watchToken: true });
  const { status, watchToken: lent } = job.data;
  assert.equal(status, "PENDING");

  const events = await all(job.events());

  assert.deepEqual(seqs(events), numbers(events.length));
  const types = events.map(({ type }) => type);
  assert.deepEqual([types[0], types.at(-1)], ["job:pending", "job:done"]);
  assert.ok(types.includes("job:log") && types.includes("job:output"));
  assert.equal(await job.result(), null);
  assert.equal((await job.show({ wait: 1 })).status, "DONE");
  assert.ok(
    (await job.logs()).some(({ message, level }) => message === "saving" && level === "warning"),
  );
  assert.deepEqual(
    (await job.output()).map(({ data }) => data),
    ["a piece"],
  );
  assert.deepEqual(
    (await job.files()).map(({ name, size }) => [name, size]),
    [["a b.txt", 9]],
  );
  assert.equal(await (await job.file("a b.txt")).text(), "the bytes");
  const { watchToken } = await job.watchToken({ expiresIn: 60 });
  const plain = await fetch(job.fileUrl("a b.txt", watchToken));
  assert.equal(await plain.text(), "the bytes");
  assert.deepEqual(await job.webhookLogs(), []);
  const { jobs, meta } = await jobcast.jobs({ tag });
  assert.deepEqual([jobs.map(({ id }) => id), meta.total], [[job.id], 1]);
  const guest = client(t, { apiKey: undefined, watchToken: lent });
  assert.equal(await guest.job(job.id).result(), null);
  assert.equal((await guest.job(job.id).show()).payload, undefined);
});

test("a job that fails rejects its result; retried with another payload it is done", async (t) => {
  const jobcast = client(t);
  const job = await jobcast.submit("fails");

  await assert.rejects(job.result(), (error) => {
    assert.ok(error instanceof JobFailed);
    assert.deepEqual([error.status, error.error], ["FAILED", "that can't work"]);
    return true;
  });
  const { seq } = await job.retry({ payload: { mended: true } });
  const events = await all(job.events({ after: seq - 1 }));

  assert.equal(await job.result(), "mended");
  assert.equal(events.at(-1).type, "job:done");
  await assert.rejects(job.retry(), { status: 400 });
});

test("a running job is cancelled, a waiting one deleted", async (t) => {
  const jobcast = client(t);
  const running = await jobcast.submit("sleep", { delayMs: 60_000 });
  const waiting = await jobcast.submit("sleep", {}, { runAt: new Date(Date.now() + 600_000) });
  for await (const { type } of running.events()) if (type === "job:processing") break;

  await running.cancel();
  await assert.rejects(running.result(), { name: "JobFailed", status: "CANCELLED" });
  assert.equal((await waiting.delete()).status, "CANCELLED");
});

test("a submit whose answer is lost is the same job when it is sent again", async (t) => {
  let answers = 0;
  const lossy = async (...request) => {
    const answer = await fetch(...request);
    if (++answers === 1) throw new TypeError("the line went dead");
    return answer;
  };
  const jobcast = client(t, { fetch: lossy });
  const tag = randomUUID();

  const job = await jobcast.submit("sleep", { delayMs: 1 }, { tags: [tag] });

  assert.deepEqual(
    (await jobcast.jobs({ tag })).jobs.map(({ id }) => id),
    [job.id],
  );
  assert.equal(answers, 3);
});

test("a server that is killed and started again leaves no gap and no repeat", async (t) => {
  const network = await relay(t, url);
  const jobcast = client(t, { url: network.url });
  const job = await jobcast.submit("counts", { to: 150 });
  const events = [];
  for await (const event of job.events()) {
    events.push(event);
    if (events.length !== 20) continue;
    const lost = stands(jobcast, "waiting");
    const restarted = restart();
    await lost;
    await restarted;
    network.move(url);
  }

  assert.deepEqual(seqs(events), numbers(events.length));
  assert.equal(events.at(-1).type, "job:done");
  assert.deepEqual(
    events.filter(({ type }) => type === "job:processing").map((e) => e.attempt),
    [1, 2],
  );
  assert.equal(await job.result(), 150);
});

test("the tenant's events go on behind a lost connection", async (t) => {
  const network = await relay(t, url);
  const jobcast = client(t, { url: network.url });
  const near = client(t);
  const ends = [];
  const first = await near.submit("sleep", { delayMs: 1 });
  let second;
  for await (const { type, jobId } of jobcast.events({ after: "0" })) {
    if (type !== "job:done" || ends.includes(jobId)) continue;
    ends.push(jobId);
    if (jobId === second?.id) break;
    if (jobId !== first.id) continue;
    network.cut();
    second = await near.submit("sleep", { delayMs: 1 });
  }

  assert.ok(ends.indexOf(first.id) < ends.indexOf(second.id));
});

test("a channel goes on behind a lost connection, and counts who is there", async (t) => {
  const network = await relay(t, url);
  const name = `chat:${randomUUID()}`;
  const far = client(t, { url: network.url });
  const [here, there] = [client(t).channel(name), far.channel(name)];
  const crowds = [];
  const together = new Promise((resolve) =>
    there.on("presence", ({ count }) => (crowds.push(count), count === 2 && resolve())),
  );
  const said = [];
  const over = new Promise((resolve) =>
    there.on(
      "message",
      ({ data, offset }) => (said.push([data, offset]), data === "over" && resolve()),
    ),
  );
  assert.deepEqual(await there.join().then(({ count, offset }) => [count, offset]), [1, 0]);
  await here.join();
  await together;

  assert.deepEqual(await there.publish("one"), { offset: 1 });
  const waiting = stands(far, "waiting");
  network.cut();
  await waiting;
  await here.publish("two");
  await here.publish({ three: 3 });
  await stands(far, "open");
  await here.publish("over");
  await over;

  assert.deepEqual(said, [
    ["one", 1],
    ["two", 2],
    [{ three: 3 }, 3],
    ["over", 4],
  ]);
  const { messages } = await there.history({ after: 2 });
  assert.deepEqual(
    messages.map(({ offset }) => offset),
    [3, 4],
  );
  assert.equal((await here.join()).offset, 4);
  await there.leave();
  assert.equal(there.presence, null);
});

test("a guest takes part in a public channel, under a name of their own", async (t) => {
  const name = `public:${randomUUID()}`;
  const guest = client(t, { apiKey: undefined, guest: `Ada & ${randomUUID().slice(0, 8)}` });
  const channel = guest.channel(name);
  const heard = (async () => {
    for await (const event of channel) if (event.type === "message") return event;
  })();
  await channel.join();

  await channel.publish("hi");

  assert.match((await heard).from.name, /^Ada & /);
  await assert.rejects(guest.channel("private").join(), { name: "JobcastError" });
});

test("a login is renewed while it is used, on the open socket", async (t) => {
  const given = { email: `${randomUUID()}@example.com`, password: "correct horse" };
  const stranger = client(t, { apiKey: undefined });
  await stranger.request("POST", "/auth/register", { body: given });
  const login = await stranger.request("POST", "/auth/login", { body: given });
  const jobcast = client(t, {
    apiKey: undefined,
    token: login.accessToken,
    refresh: login.refreshToken,
  });
  const states = [];
  const tokens = [];
  jobcast.on("connection", ({ state }) => states.push(state));
  jobcast.on("tokens", (pair) => tokens.push(pair));
  const job = await jobcast.submit("sleep", { delayMs: 3_000 }); // the token lasts two seconds

  await job.result();

  assert.deepEqual(states, ["connecting", "open"]);
  assert.ok(tokens.length >= 1);
  assert.ok(tokens.every(({ refreshToken }) => refreshToken.startsWith("jr_")));
  assert.equal((await job.show()).status, "DONE");
});

test("a login that has ended is said, and nothing is tried again", async (t) => {
  const given = { email: `${randomUUID()}@example.com`, password: "correct horse" };
  const stranger = client(t, { apiKey: undefined });
  await stranger.request("POST", "/auth/register", { body: given });
  const login = await stranger.request("POST", "/auth/login", { body: given });
  const jobcast = client(t, {
    apiKey: undefined,
    token: login.accessToken,
    refresh: login.refreshToken,
  });
  const job = await jobcast.submit("sleep", { delayMs: 60_000 });
  const result = assert.rejects(job.result(), { status: 401, message: "Invalid refresh token" });
  await stands(jobcast, "open");

  await stranger.request("POST", "/auth/logout", { body: { refreshToken: login.refreshToken } });

  await result;
  assert.equal(jobcast.connection.state, "closed");
});

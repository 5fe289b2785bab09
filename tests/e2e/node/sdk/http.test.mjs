// Requests against servers and networks that fail.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Jobcast, JobcastError } from "@jobcast/client";

const URL_ = "http://jobcast.test/below/";

/** A client whose requests are answered by these, one after another; what it asked is in `asked`. */
function client(answers, options = { apiKey: "jc_1" }) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    const { status = 200, headers, ...body } = answer;
    return new Response(body.text ?? JSON.stringify(body), { status, headers });
  };
  return { jobcast: new Jobcast({ url: URL_, fetch, ...options }), asked };
}

const data = (data) => ({ success: true, message: "well", data });
const lost = () => new TypeError("fetch failed");
const refused = (status, code, more = {}) => ({
  status,
  success: false,
  message: code,
  code,
  ...more,
});

test("a submit is repeated with the same key, after a lost connection and when asked to wait", async () => {
  const { jobcast, asked } = client([
    lost(),
    refused(503, "UNAVAILABLE", { headers: { "Retry-After": "0" } }),
    { status: 502, text: "<html>" },
    data({ id: "j1", status: "PENDING" }),
  ]);

  const job = await jobcast.submit("a-type", { n: 1 }, { queue: "media", tags: ["x"] });

  assert.equal(job.id, "j1");
  assert.deepEqual(job.data, { id: "j1", status: "PENDING" });
  assert.equal(asked.length, 4);
  const keys = new Set(asked.map(({ headers }) => headers["Idempotency-Key"]));
  assert.match([...keys].join(), /^[0-9a-f]{32}$/);
  for (const { url, method, body, headers } of asked) {
    assert.equal(url, "http://jobcast.test/below/api/jobs");
    assert.equal(method, "POST");
    assert.deepEqual(JSON.parse(body), {
      type: "a-type",
      payload: { n: 1 },
      queue: "media",
      tags: ["x"],
    });
    assert.equal(headers["X-API-Key"], "jc_1");
  }
});

test("what might be done twice is not repeated", async () => {
  const { jobcast, asked } = client([lost()]);

  await assert.rejects(jobcast.job("j1").cancel(), {
    code: "UNREACHABLE",
    status: null,
    temporary: true,
  });

  assert.equal(asked.length, 1);
});

test("what is said to be repeatable is repeated as it was", async () => {
  const { jobcast, asked } = client([lost(), { status: 504, text: "" }, data("made")]);
  const options = {
    body: { action: "retry", filter: {} },
    headers: { "Idempotency-Key": "k" },
    repeatable: true,
  };

  assert.equal(await jobcast.request("POST", "/jobs/bulk", options), "made");

  assert.deepEqual(
    asked.map(({ headers, body }) => [headers["Idempotency-Key"], body]),
    Array(3).fill(["k", '{"action":"retry","filter":{}}']),
  );
});

test("a wait that is too long is not waited for", async () => {
  const { jobcast } = client([refused(429, "RATE_LIMITED", { headers: { "Retry-After": "45" } })]);

  await assert.rejects(jobcast.submit("x"), { code: "RATE_LIMITED", status: 429, retryAfter: 45 });
});

test("an error carries all that the server says", async () => {
  const errors = { type: ["Use 1 to 100 characters"] };
  const headers = { "X-Request-Id": "r1" };
  const { jobcast } = client([refused(400, "VALIDATION_ERROR", { errors, headers })]);

  await assert.rejects(jobcast.submit("x"), (error) => {
    assert.ok(error instanceof JobcastError);
    const { status, code, message, details, requestId, temporary } = error;
    assert.deepEqual(
      { status, code, message, details, requestId, temporary },
      {
        status: 400,
        code: "VALIDATION_ERROR",
        message: "VALIDATION_ERROR",
        details: errors,
        requestId: "r1",
        temporary: false,
      },
    );
    return true;
  });
});

for (const text of ["<html>", "", "7", "null", "[", '"text"'])
  test(`${text || "nothing"} for an answer is said to be none of Jobcast's`, async () => {
    const { jobcast } = client([{ text }]);

    await assert.rejects(jobcast.request("POST", "/queues/a/pause"), { code: "BAD_ANSWER" });
  });

test("a refused token is renewed and the request sent again, once", async () => {
  const stale = [];
  const getToken = (token) => {
    stale.push(token);
    return `token ${stale.length}`;
  };
  const { jobcast, asked } = client(
    [
      refused(401, "UNAUTHORIZED"),
      data(1),
      refused(401, "UNAUTHORIZED"),
      refused(401, "UNAUTHORIZED"),
    ],
    { getToken },
  );

  assert.equal(await jobcast.request("GET", "/stats"), 1);
  await assert.rejects(jobcast.request("GET", "/stats"), { status: 401 });

  assert.deepEqual(stale, [undefined, "token 1", "token 2"]);
  assert.deepEqual(
    asked.map(({ headers }) => headers.Authorization),
    ["Bearer token 1", "Bearer token 2", "Bearer token 2", "Bearer token 3"],
  );
});

test("a page of a list comes with where it stands", async () => {
  const meta = { total: 3, page: 2, limit: 2, totalPages: 2, hasNextPage: false, hasPrevPage: true };
  const { jobcast, asked } = client([{ ...data([{ name: "c" }]), meta }]);

  const found = await jobcast.page("/schedules", { query: { page: 2, limit: 2 } });

  assert.deepEqual(found, { items: [{ name: "c" }], meta });
  assert.equal(asked[0].method, "GET");
  assert.equal(asked[0].url, "http://jobcast.test/below/api/schedules?page=2&limit=2");
});

test("a login is renewed once for all who ask, and told", async () => {
  const pair = { accessToken: "a2", refreshToken: "r2" };
  const no = () => refused(401, "UNAUTHORIZED");
  const { jobcast, asked } = client([no(), no(), data(pair), data(1), data(2)], {
    token: "a1",
    refresh: "r1",
  });
  const told = [];
  jobcast.on("tokens", (tokens) => told.push(tokens));

  const both = [jobcast.request("GET", "/stats"), jobcast.request("GET", "/queues")];

  assert.deepEqual(await Promise.all(both), [1, 2]);
  assert.deepEqual(told, [pair]);
  const trades = asked.filter(({ url }) => url.endsWith("/auth/refresh"));
  assert.deepEqual(
    trades.map(({ body }) => JSON.parse(body)),
    [{ refreshToken: "r1" }],
  );
  assert.equal(trades[0].headers.Authorization, undefined);
});

test("an answer to the token before does not cost another renewal", async () => {
  let refuseLate;
  const late = new Promise((resolve) => (refuseLate = resolve));
  let renewals = 0;
  const fetch = async (url, { headers }) => {
    if (headers.Authorization === "Bearer 1") return Response.json(data(url));
    if (url.endsWith("/slow")) await late;
    return Response.json(refused(401, "UNAUTHORIZED"), { status: 401 });
  };
  const getToken = () => String(++renewals);
  const jobcast = new Jobcast({ url: URL_, token: "0", getToken, fetch });

  const slow = jobcast.request("GET", "/slow");
  await jobcast.request("GET", "/quick");
  refuseLate();
  await slow;

  assert.equal(renewals, 1);
});

test("bodies and queries are sent as they are meant", async () => {
  const { jobcast, asked } = client([data(1), data([]), data({}), data({})]);

  await jobcast.request("POST", "schedules", {
    body: '{"n":1e200000}',
    query: { a: "b c", no: null },
  });
  await jobcast.job("j/1").output({ attempt: "all", after: 3 });
  await jobcast.job("j1").retry({ payload: { again: true } });
  await jobcast.job("j1").show({ wait: 5 });

  assert.deepEqual(
    asked.map(({ url, body }) => [url.replace("http://jobcast.test/below/api", ""), body]),
    [
      ["/schedules?a=b+c", '{"n":1e200000}'],
      ["/jobs/j%2F1/output?after=3&attempt=all", undefined],
      ["/jobs/j1/retry", '{"payload":{"again":true}}'],
      ["/jobs/j1?wait=5", undefined],
    ],
  );
});

test("no id and no name leads elsewhere", () => {
  const { jobcast } = client([]);

  for (const id of ["", ".", "..", undefined, 7]) assert.throws(() => jobcast.job(id), TypeError);
  assert.throws(() => jobcast.job("j1").fileUrl(".."), TypeError);
  assert.equal(
    jobcast.job("a b").fileUrl("c?d", "t="),
    `${URL_}api/jobs/a%20b/files/c%3Fd?token=t%3D`,
  );
});

test("pages follow one another by their cursors", async () => {
  const page = (ids, cursor) => ({ ...data(ids.map((id) => ({ id }))), meta: { page: 1, cursor } });
  const { jobcast, asked } = client([page(["c", "b"], "b"), page(["c", "b"], "b"), page(["a"])]);

  const { jobs, meta } = await jobcast.jobs({ status: "DONE", limit: 2 });
  const ids = [];
  for await (const page of jobcast.jobs({ limit: 2 })) ids.push(...page.jobs.map(({ id }) => id));

  assert.deepEqual(jobs, [{ id: "c" }, { id: "b" }]);
  assert.equal(meta.cursor, "b");
  assert.deepEqual(ids, ["c", "b", "a"]);
  assert.match(asked[0].url, /\?status=DONE&limit=2$/);
  assert.match(asked[2].url, /\?limit=2&page=1&cursor=b$/);
});

test("a signal ends a request and a pause between two", async () => {
  const aborting = new AbortController();
  const reason = new Error("enough");
  const { jobcast } = client([lost(), lost(), lost(), lost(), lost(), lost(), lost()]);

  const asking = jobcast.submit("x", {}, { signal: aborting.signal });
  setImmediate(() => aborting.abort(reason));

  await assert.rejects(asking, (error) => error === reason);
  await assert.rejects(
    jobcast.submit("x", {}, { signal: aborting.signal }),
    (error) => error === reason,
  );
});

test("what is exported is what is declared", async () => {
  for (const name of ["", "/react", "/webhooks"]) {
    const exported = Object.keys(await import(`@jobcast/client${name}`));
    const types = new URL(
      `./node_modules/@jobcast/client${name || "/index"}.d.ts`,
      import.meta.url,
    );
    const declared = readFileSync(types, "utf8").matchAll(/^export (?:class|function) (\w+)/gm);
    assert.deepEqual(exported.sort(), [...declared].map(([, name]) => name).sort());
  }
});

test("there must be an address", () => {
  assert.throws(() => new Jobcast(), /Give Jobcast the `url`/);
});

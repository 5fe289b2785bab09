// A server that says what a test wants it to say.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket, { WebSocketServer } from "ws";
import { Jobcast, JobcastError } from "@jobcast/client";

/** One connection: what the client sends is taken one by one; pings are answered unless `mute`. */
class Connection {
  mute = false;
  #inbox = [];
  #wake = () => {};

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const command = JSON.parse(data);
      if (command.type === "ping") {
        if (!this.mute) this.say({ type: "pong", id: command.id });
        return;
      }
      this.#inbox.push(command);
      this.#wake();
    });
  }

  say(frame) {
    this.raw(JSON.stringify(frame));
  }

  raw(data) {
    this.socket.send(data);
  }

  close(code, reason) {
    this.socket.close(code, reason);
  }

  /** Returns when the client has received all that was said. */
  async received() {
    this.socket.ping();
    await once(this.socket, "pong");
  }

  /** The next command. */
  async any() {
    while (!this.#inbox.length) await new Promise((resolve) => (this.#wake = resolve));
    return this.#inbox.shift();
  }

  /** The next command, which is of this type. */
  async next(type) {
    const command = await this.any();
    if (command.type !== type) throw new Error(`not ${type}: ${JSON.stringify(command)}`);
    return command;
  }

  /** The greeting of a server that finds the credentials good. */
  async greet({ heartbeatMs = 25_000 } = {}) {
    const { id, ...auth } = await this.next("auth");
    this.say({ type: "authenticated", id, tenantId: "t1", userId: null, expiresAt: null });
    this.say({ type: "connected", message: "hello", connectionId: "c", heartbeatMs, protocol: 1 });
    return auth;
  }

  /** Takes a subscription to a job; `after` is what was asked for. */
  async subscribed({ seq = 0, status = "PROCESSING" } = {}) {
    const { id, jobId, after } = await this.next("subscribe");
    this.say({ type: "subscribed", id, jobId, seq, job: { id: jobId, status }, recovered: true });
    return after;
  }
}

/** `talk(connection, number)` is called for every connection; its faults fail the test `t`. */
export async function fake(t, talk) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/ws" });
  await once(server, "listening");
  let number = 0;
  const faults = [];
  server.on("connection", (socket) => {
    talk(new Connection(socket), ++number).catch((fault) => {
      faults.push(fault);
      socket.terminate();
    });
  });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
    if (faults.length) throw faults[0];
  });
  return `http://127.0.0.1:${server.address().port}`;
}

export const JOB = "019ab8f2-6c00-7000-8000-000000000001";

const STATUS = { "job:pending": "PENDING", "job:done": "DONE", "job:failed": "FAILED" };

export const event = (seq, type = "job:log", more = {}) => ({
  type,
  jobId: JOB,
  tenantId: "t1",
  jobType: "test",
  status: STATUS[type] ?? "PROCESSING",
  seq,
  attempt: 1,
  at: "2026-11-22T21:31:52.124Z",
  ...(type === "job:log" && { message: `line ${seq}`, level: "info" }),
  ...more,
});

export async function all(events) {
  const found = [];
  for await (const event of events) found.push(event);
  return found;
}

/** Resolved when `jobcast` says that its connection stands like this. */
export const stands = (jobcast, state) =>
  new Promise((resolve) => {
    const off = jobcast.on("connection", (connection) => {
      if (connection.state !== state) return;
      off();
      resolve(connection);
    });
  });

/** A client of the server at `url` that is closed when the test is over. */
export function client(t, url, options = {}) {
  const jobcast = new Jobcast({ url, apiKey: "jc_1", WebSocket, ...options });
  t.after(() => jobcast.close());
  return jobcast;
}

export const seqs = (events) => events.map(({ seq }) => seq);

/** Whether an error is one of ours with this code, for `assert.rejects`. */
export const refusedWith = (code) => (error) => {
  assert.ok(error instanceof JobcastError, error);
  assert.equal(error.code, code);
  return true;
};

// The live connection: one WebSocket that comes back by itself and goes on where it stopped.
// It knows nothing of the page. Events of a job arrive here once each, in the order of `seq`.

const HEARTBEAT_MS = 25_000;
const LONGEST_WAIT_MS = 15_000;
const ENDED = new Set(["job:done", "job:failed", "job:cancelled"]);

export class Live {
  #socket = null;
  #ready = false;
  #stopped = false;
  #tries = 0;
  #promised = null; // ms that a draining server asked us to wait
  #heard = 0;
  #timers = { reconnect: 0, heartbeat: 0 };
  #commands = new Map(); // id → {text(resend), resolve, reject}: not answered yet
  #lastId = 0;
  #jobs = new Map(); // id → {seq: the newest seen, early: events that came ahead of it}
  #tenant = null; // {id, cursor}

  /** `on` = {state(name, detail), job(event), tenant(event), gap(message)}. */
  constructor(url, key, on, { WebSocket = globalThis.WebSocket, random = Math.random } = {}) {
    Object.assign(this, { url, key, on, WebSocket, random });
  }

  start() {
    this.#connect();
  }

  /** Ends for good; what was not answered is rejected. */
  stop(reason = "Signed out") {
    this.#stopped = true;
    this.#drop();
    this.#rejectAll(reason);
  }

  /** Connects at once instead of at the end of the pause: the network is back. */
  hurry() {
    if (!this.#stopped && !this.#socket) this.#connect();
  }

  /** Submits; `job` is JSON text, so that numbers beyond JavaScript's stay as they were typed. */
  submit(job) {
    const key = JSON.stringify(randomKey());
    return this.#command((id, again) =>
      `{"type":"submit","id":${id},"idempotencyKey":${key},"subscribe":${!again},"job":${job}}`,
    ).then(({ message, again }) => {
      if (again) this.watch(message.job.id, 0);
      else this.#jobs.set(message.job.id, { seq: 0, early: new Map() });
      return message.job;
    });
  }

  cancel(jobId) {
    const job = JSON.stringify(jobId);
    return this.#command((id) => `{"type":"cancel","id":${id},"jobId":${job}}`);
  }

  /** Events of a job with seq > after, then live, until it ends. */
  watch(jobId, after) {
    this.#jobs.set(jobId, { seq: after, early: new Map() });
    this.#send({ type: "subscribe", jobId, after });
  }

  unwatch(jobId) {
    if (this.#jobs.delete(jobId)) this.#send({ type: "unsubscribe", jobId });
  }

  watchTenant(tenantId) {
    this.#tenant = { id: tenantId, cursor: undefined };
    this.#send({ type: "subscribe", tenantId });
  }

  #connect() {
    clearTimeout(this.#timers.reconnect);
    this.on.state("connecting");
    const socket = new this.WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "auth", key: this.key }));
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    };
  }

  #drop() {
    clearTimeout(this.#timers.reconnect);
    clearInterval(this.#timers.heartbeat);
    this.#ready = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #closed(code, reason) {
    this.#drop();
    if (code === 1008 || (code >= 3500 && code <= 3999)) {
      this.#stopped = true;
      this.#rejectAll(reason || "The server closed the connection");
      this.on.state(code === 1008 ? "refused" : "stopped", reason);
      return;
    }
    const most = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.#tries++);
    const wait = (this.#promised ?? most) * (0.5 + this.random() / 2);
    this.#promised = null;
    this.on.state("waiting", wait);
    this.#timers.reconnect = setTimeout(() => this.#connect(), wait);
  }

  #opened({ heartbeatMs = HEARTBEAT_MS }) {
    this.#ready = true;
    this.#tries = 0;
    this.on.state("live");
    clearInterval(this.#timers.heartbeat);
    this.#timers.heartbeat = setInterval(() => this.#beat(heartbeatMs), heartbeatMs);
    if (this.#tenant) {
      const { id, cursor } = this.#tenant;
      this.#send({ type: "subscribe", tenantId: id, after: cursor });
    }
    for (const [jobId, { seq }] of this.#jobs) this.#send({ type: "subscribe", jobId, after: seq });
    for (const [id, command] of this.#commands) this.#transmit(id, command);
  }

  #beat(heartbeatMs) {
    if (Date.now() - this.#heard > 2.5 * heartbeatMs) this.#closed(0, "silent");
    else this.#send({ type: "ping" });
  }

  #receive(message) {
    this.#heard = Date.now();
    const { type } = message;
    if (message.id !== undefined && this.#commands.has(Number(message.id))) this.#answer(message);
    if (type === "connected") this.#opened(message);
    else if (type === "server:draining") this.#promised = message.reconnectInMs ?? null;
    else if (type === "subscribed" && message.tenantId) this.#move(message.cursor);
    else if (type === "gap") this.#gap(message);
    else if (type?.startsWith("job:")) this.#event(message);
  }

  #event(message) {
    if (message.cursor !== undefined) this.#move(message.cursor);
    this.on.tenant(message);
    const job = this.#jobs.get(message.jobId);
    if (!job || message.seq <= job.seq) return;
    // The tenant's subscription brings status events only, maybe ahead of the lines before them.
    if (message.cursor !== undefined && message.seq > job.seq + 1) {
      job.early.set(message.seq, message);
      return;
    }
    this.#deliver(job, message);
    for (let next; (next = job.early.get(job.seq + 1)); ) this.#deliver(job, next);
  }

  #deliver(job, message) {
    job.seq = message.seq;
    job.early.delete(message.seq);
    if (ENDED.has(message.type)) this.#jobs.delete(message.jobId);
    this.on.job(message);
  }

  #gap(message) {
    const job = this.#jobs.get(message.jobId);
    if (job) job.seq = Math.max(job.seq, message.to);
    this.on.gap(message);
  }

  #move(cursor) {
    if (this.#tenant && cursor !== undefined) this.#tenant.cursor = cursor;
  }

  #answer(message) {
    const id = Number(message.id);
    const command = this.#commands.get(id);
    this.#commands.delete(id);
    if (message.type === "error") command.reject(new Error(message.message));
    else command.resolve({ message, again: command.sent > 1 });
  }

  #command(text) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const command = { text, resolve, reject, sent: 0 };
      this.#commands.set(id, command);
      if (this.#stopped) this.#rejectAll("Not connected");
      else if (this.#ready) this.#transmit(id, command);
    });
  }

  #transmit(id, command) {
    this.#socket.send(command.text(`"${id}"`, command.sent++ > 0));
  }

  #send(message) {
    if (this.#ready) this.#socket.send(JSON.stringify(message));
  }

  #rejectAll(reason) {
    for (const { reject } of this.#commands.values()) reject(new Error(reason));
    this.#commands.clear();
  }
}

// crypto.randomUUID is missing on plain http:// addresses other than localhost.
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

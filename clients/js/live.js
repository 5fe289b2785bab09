// The one socket: opened when it is needed, back by itself when it is lost, closed when not needed.
//
//   closed ─need─▶ connecting ─connected─▶ open ─not needed─▶ closed
//                    ▲    └──── lost ───────┤
//                    └─ wait ◀──────────────┴─ lost; or closed, where the code says to stay away
//
// It knows topics by their keys: `open()` asks the server for what the topic wants, `lost()` says
// that this is over, `receive(frame)` hands over a frame, `refused(error)` ends it.

import { JobcastError, refusal } from "./errors.js";
import { backoff, unless } from "./waits.js";

const HEARTBEAT_MS = 25_000;
const ANSWER_MS = 10_000; // for a ping; and for the handshake
const STUCK_MS = 30_000; // for any other command
const LINGER_MS = 1_000; // how long a socket is kept that nothing needs
const STABLE_MS = 5_000; // a connection that lived this long was a good one
const CREDENTIALS = 1008;
const TOO_BIG = 1009;
const BROKEN = 1006;
const FINAL = new Set([1000, 1002, 1003, 1007, CREDENTIALS, TOO_BIG, 1010]);

const mayReconnect = (code) => (code >= 3000 && code < 4000 ? code < 3500 : !FINAL.has(code));
const disconnected = (message = "The connection was lost before an answer came.") =>
  new JobcastError(message, { code: "DISCONNECTED", temporary: true });

export class Live {
  /** How it stands. */
  state = { state: "closed" };
  /** Whose connection it is, once that is known. */
  tenantId;
  #url;
  #credentials;
  #Socket;
  #tell;
  #link = null; // {socket, token, open, heard, since}: one connection, from its beginning to its end
  #topics = new Map();
  #answers = new Map(); // id → {done(answer, error), at}
  #unsent = new Set(); // commands that wait for a connection
  #paused = false;
  #renewed = false; // since a connection was last open
  #promised = null; // ms that a draining server asked us to wait
  #tries = 0;
  #lastId = 0;
  #timers = {};

  /** `tell` hears of every change of `state`. */
  constructor(url, credentials, Socket, tell) {
    this.#url = `${url.replace(/^http/, "ws")}/ws`;
    this.#credentials = credentials;
    this.#Socket = Socket;
    this.#tell = tell;
  }

  get isOpen() {
    return this.#link?.open === true;
  }

  topic(key) {
    return this.#topics.get(key);
  }

  enter(key, topic) {
    this.#topics.set(key, topic);
    if (this.isOpen) topic.open();
    else this.#want();
  }

  leave(key) {
    this.#topics.delete(key);
    this.#release();
  }

  /** Opens a topic again in a while: the server has refused it for now. */
  later(key, { retryAfter }) {
    const topic = this.#topics.get(key);
    topic.refusals = (topic.refusals ?? 0) + 1;
    const again = () => this.isOpen && this.#topics.get(key) === topic && topic.open();
    setTimeout(again, 1000 * (retryAfter ?? 0) + backoff(topic.refusals));
  }

  /** Sends a command over the open socket; `done(answer, error)` is called once, in order. */
  ask(command, done = () => {}) {
    const id = ++this.#lastId;
    const text = JSON.stringify({ ...command, id });
    this.#answers.set(id, { done, at: Date.now() });
    this.#link.socket.send(text);
  }

  /** The answer to a command, sent once, as soon as there is a connection. */
  async command(command, signal) {
    signal?.throwIfAborted();
    JSON.stringify(command); // throws here for what is no JSON
    const waiting = {};
    const answered = new Promise((resolve, reject) => {
      waiting.done = (answer, error) => {
        this.#unsent.delete(waiting);
        if (error) reject(error);
        else resolve(answer);
        this.#release();
      };
    });
    waiting.send = () => this.ask(command, waiting.done);
    if (this.isOpen) waiting.send();
    else {
      this.#unsent.add(waiting);
      this.#want();
    }
    return unless(signal, answered, () => waiting.done());
  }

  pause() {
    this.#paused = true;
    this.#leave();
  }

  resume() {
    this.#paused = false;
    if (this.#needed) this.#want();
  }

  /** Ends everything. */
  close() {
    const topics = [...this.#topics.values()];
    this.#topics.clear();
    for (const topic of topics) topic.refused();
    this.#fail(new JobcastError("Jobcast was closed.", { code: "CLOSED" }));
    this.#leave();
  }

  get #needed() {
    return this.#topics.size + this.#unsent.size + this.#answers.size > 0;
  }

  #want() {
    clearTimeout(this.#timers.linger);
    if (!this.#paused && !this.#link && this.state.state !== "waiting") this.#connect();
  }

  #release() {
    if (this.#needed || this.state.state === "closed") return;
    clearTimeout(this.#timers.linger);
    this.#timers.linger = setTimeout(() => this.#needed || this.#leave(), LINGER_MS);
  }

  /** Goes without anything being wrong. */
  #leave() {
    this.#drop(1000);
    this.#say({ state: "closed" });
  }

  #say(state) {
    if (state.state === "closed") hearken(this.#hurry, false);
    if (state.state === "closed" && this.state.state === "closed" && !state.error) return;
    this.state = state;
    this.#tell(state);
  }

  /** `stale` is a token that was refused. */
  async #connect(stale) {
    clearTimeout(this.#timers.again);
    hearken(this.#hurry, true);
    const link = (this.#link = { socket: null, open: false, heard: 0, since: Date.now() });
    this.#say({ state: "connecting" });
    let auth;
    try {
      if (stale !== undefined) await this.#credentials.renew(stale);
      link.token = await this.#credentials.token();
      auth = this.#credentials.frame(link.token);
    } catch (error) {
      this.#renewed = false;
      if (link === this.#link) this.#dropped(error, isPassing(error));
      return;
    }
    if (link !== this.#link) return;
    const Socket = this.#Socket ?? globalThis.WebSocket;
    try {
      if (!Socket)
        throw new JobcastError(
          "There is no WebSocket here, as in Node.js before 22. Install npm's ws and give its " +
            'class: import WebSocket from "ws"; new Jobcast({ WebSocket, … }).',
          { code: "NO_WEBSOCKET" },
        );
      link.socket = new Socket(this.#url + this.#credentials.query);
    } catch (error) {
      this.#dropped(error, false);
      return;
    }
    const { socket } = link;
    const mine = (act) => (event) => link === this.#link && act(event);
    socket.onopen = mine(() => auth && socket.send(JSON.stringify(auth)));
    socket.onmessage = mine(({ data }) => this.#receive(link, data));
    socket.onclose = mine(({ code, reason }) => this.#lost(code, reason));
    socket.onerror = () => {}; // what matters is said by the close behind it
    this.#timers.deadline = setTimeout(
      mine(() => this.#lost(BROKEN, "no answer came in time")),
      ANSWER_MS,
    );
  }

  #opened(link, { heartbeatMs }) {
    const every = Math.min(Math.max(heartbeatMs, 100), 300_000) || HEARTBEAT_MS;
    Object.assign(link, { open: true, answerMs: Math.min(ANSWER_MS, every), since: Date.now() });
    this.#renewed = false;
    this.#promised = null;
    clearTimeout(this.#timers.deadline);
    this.#timers.heartbeat = setInterval(() => this.#beat(), every);
    this.#say({ state: "open" });
    if (link !== this.#link) return; // whoever heard that has closed it
    for (const topic of [...this.#topics.values()]) topic.open();
    for (const command of [...this.#unsent]) {
      this.#unsent.delete(command);
      command.send();
    }
    this.#release();
  }

  /** Asks for a sign of life. */
  #beat(withinMs = this.#link.answerMs) {
    const link = this.#link;
    const asked = Date.now();
    for (const { at } of this.#answers.values())
      if (asked - at > STUCK_MS) return this.#lost(BROKEN, "a command was not answered");
    link.socket.send('{"type":"ping"}');
    clearTimeout(this.#timers.deadline);
    this.#timers.deadline = setTimeout(() => {
      if (link.heard < asked) this.#lost(BROKEN, "no heartbeat");
    }, withinMs);
  }

  /** The network is back, or the tab is looked at again. */
  #hurry = () => {
    if (globalThis.document?.hidden) return;
    if (this.isOpen) this.#beat(3_000);
    else if (this.state.state === "waiting") this.#connect();
  };

  #receive(link, data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      // said below
    }
    if (typeof frame?.type !== "string") return this.#lost(BROKEN, "what came is no message");
    link.heard = Date.now();
    const asked = this.#answers.get(frame.id);
    if (asked) {
      this.#answers.delete(frame.id);
      if (frame.type === "error") asked.done(null, refusal(frame));
      else asked.done(frame);
    }
    switch (frame.type) {
      case "authenticated":
        this.tenantId = frame.tenantId;
        return;
      case "connected":
        return link.open || this.#opened(link, frame);
      case "token:expiring":
        return void this.#renew(link);
      case "server:draining":
        return this.#drain(frame.reconnectInMs);
      default:
        return this.#topics.get(keyOf(frame))?.receive(frame);
    }
  }

  async #renew(link) {
    if (!this.#credentials.renewable) return;
    try {
      await this.#credentials.renew(link.token);
      const token = await this.#credentials.token();
      if (link !== this.#link) return;
      link.token = token;
      // Where it is refused (it is someone else's), the next connection stands on it.
      this.ask(this.#credentials.frame(token), (_, error) => {
        if (error?.code === "OTHER_IDENTITY") this.#lost(BROKEN, error.message);
      });
    } catch {
      // The socket is closed when the old token ends: then it is tried again.
    }
  }

  #drain(ms) {
    this.#promised = Math.min(Math.max(ms, 0), 60_000) || 0;
    clearTimeout(this.#timers.drain); // the server closes; if not, we go by ourselves
    this.#timers.drain = setTimeout(() => this.#lost(1012), this.#promised);
  }

  #lost(code, reason) {
    const { open, since, token } = this.#link;
    if (open && Date.now() - since > STABLE_MS) this.#tries = 0;
    const message = reason || `The connection was closed (code ${code}).`;
    const cut = this.#drop(code);
    if (code === CREDENTIALS && token && this.#credentials.renewable && !this.#renewed) {
      if (!this.#needed) return this.#leave();
      this.#renewed = true;
      return void this.#connect(token);
    }
    const error = new JobcastError(message, {
      code: code === CREDENTIALS ? "UNAUTHORIZED" : "DISCONNECTED",
    });
    // Credentials are refused at once; what comes late says that they never arrived.
    const late = code === CREDENTIALS && !open && Date.now() - since > STABLE_MS;
    this.#dropped(error, mayReconnect(code) || late || (code === TOO_BIG && cut > 0));
  }

  /** Lets go of the connection; how many commands that cost. */
  #drop(code) {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const link = this.#link;
    this.#link = null;
    const { socket } = link ?? {};
    if (socket && code === BROKEN && socket.terminate) socket.terminate();
    else socket?.close();
    for (const topic of [...this.#topics.values()]) topic.lost();
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const { done } of answers) done(null, disconnected());
    return answers.length;
  }

  #dropped(error, passing) {
    this.#link = null;
    if (!passing) return this.#refused(error);
    if (this.#paused || !this.#needed) return this.#leave();
    const inMs = this.#promised ?? backoff(this.#tries++);
    this.#promised = null;
    this.#timers.again = setTimeout(() => this.#connect(), inMs);
    this.#say({ state: "waiting", inMs, error });
  }

  /** The server does not want us back as we are. */
  #refused(error) {
    this.#say({ state: "closed", error });
    const topics = [...this.#topics.values()];
    this.#topics.clear();
    for (const topic of topics) topic.refused(error);
    this.#fail(error);
  }

  #fail(error) {
    for (const { done } of [...this.#unsent]) done(null, error);
  }
}

const isPassing = (error) => !(error instanceof JobcastError) || error.temporary;

/** The topic that a frame is of. Events of a tenant's stream are those with a cursor. */
function keyOf({ type, jobId, tenantId, channel, cursor }) {
  if (channel !== undefined) return `channel:${channel}`;
  if (jobId !== undefined && cursor === undefined) return `job:${jobId}`;
  return type === "gap" || cursor !== undefined ? `tenant:${tenantId}` : undefined;
}

function hearken(listener, on) {
  const act = on ? "addEventListener" : "removeEventListener";
  globalThis[act]?.("online", listener);
  globalThis.document?.[act]?.("visibilitychange", listener);
}

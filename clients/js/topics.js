// What is followed over the socket: a job, or all jobs of a tenant. One subscription each, however
// many watch; what a watch gets is its own affair.

import { JobcastError } from "./errors.js";

const BAD_ANSWER = { code: "BAD_ANSWER" };
const ENDED = new Set(["DONE", "FAILED", "CANCELLED"]);
const TERMINAL = new Set(["job:done", "job:failed", "job:cancelled"]);

/** `watch` = {start(answer), receive(frame), end(error)}, by a class of its own below. */
class Topic {
  watches = new Set();
  ready = false;
  #live;
  #key;
  #what;
  #round = 0;
  #asked = false;

  constructor(live, key, what) {
    this.#live = live;
    this.#key = key;
    this.#what = what;
  }

  add(watch) {
    this.watches.add(watch);
    if (this.#live.topic(this.#key) !== this) this.#live.enter(this.#key, this);
    else this.open();
  }

  remove(watch) {
    if (!this.watches.delete(watch) || this.watches.size) return;
    if (this.#asked && this.#live.isOpen) this.#live.ask({ type: "unsubscribe", ...this.#what });
    this.lost();
    this.#live.leave(this.#key);
  }

  /** Subscribes, anew if need be, to all that the watches have not seen yet. */
  open() {
    if (!this.#live.isOpen) return;
    if (this.#asked) this.#live.ask({ type: "unsubscribe", ...this.#what });
    const round = ++this.#round;
    // Until it is answered, what comes is of the subscription before, and comes again.
    this.ready = false;
    this.#asked = true;
    const after = this.oldest();
    const command = { type: "subscribe", ...this.#what, ...(after != null && { after }) };
    this.#live.ask(command, (answer, error) => {
      if (round === this.#round) this.#answered(answer, error);
    });
  }

  lost() {
    this.#round++;
    this.ready = this.#asked = false;
  }

  refused(error) {
    for (const watch of [...this.watches]) {
      this.remove(watch);
      watch.end(error);
    }
  }

  receive(frame) {
    const known = frame.type === "gap" || frame.type.startsWith("job:");
    if (this.ready && known) for (const watch of [...this.watches]) watch.receive(frame);
  }

  #answered(answer, error) {
    if (answer?.type === "subscribed" && this.valid(answer)) {
      this.ready = true;
      for (const watch of [...this.watches]) watch.start(answer);
      return;
    }
    this.#asked = false;
    if (error?.code === "DISCONNECTED") return;
    if (error?.temporary) this.#live.later(this.#key, error);
    else this.refused(error ?? new JobcastError("The server's answer is none.", BAD_ANSWER));
  }
}

export class JobTopic extends Topic {
  static of(live, jobId) {
    const key = `job:${jobId}`;
    return live.topic(key) ?? new JobTopic(live, key, { jobId });
  }

  valid({ seq }) {
    return Number.isSafeInteger(seq);
  }

  oldest() {
    const known = [...this.watches].map(({ last }) => last).filter((last) => last !== null);
    return known.length ? Math.min(...known) : null;
  }
}

/** A watch of one job: every event with seq > `last` once, in order, up to the newest terminal one. */
export class JobWatch {
  #take;
  #end;
  #horizon = 0; // the newest seq when the subscription began
  #newestEnd = null; // the seq after which nothing comes
  #behind = false;

  /** `take(event)` answers false when it has no room; `end(error)` is called once. */
  constructor(live, jobId, last, { take, end }) {
    this.jobId = jobId.toLowerCase();
    this.last = last;
    this.#take = take;
    this.#end = end;
    this.topic = JobTopic.of(live, this.jobId);
    this.topic.add(this);
  }

  /** There is room again. */
  resume() {
    if (this.#behind) this.topic.open();
  }

  stop() {
    this.topic.remove(this);
  }

  end(error) {
    this.#end(error);
  }

  start({ seq, job }) {
    const ended = ENDED.has(job?.status);
    // An `after` beyond the newest event would hide every event up to it.
    this.last = Math.min(this.last ?? (ended ? seq - 1 : seq), seq);
    this.#horizon = seq;
    this.#newestEnd = ended ? seq : null;
    this.#behind = false;
    this.#check();
  }

  receive(frame) {
    if (this.#behind) return;
    if (frame.type === "gap") return this.#gap(frame);
    const { seq } = frame;
    if (!Number.isSafeInteger(seq) || seq <= this.last) return;
    // Servers don't skip any; if one does, that is said.
    if (seq > this.last + 1) this.#gap(missing(this.jobId, this.last + 1, seq - 1));
    if (this.#behind || !this.#took(frame)) return;
    this.last = seq;
    // A terminal event before the horizon was undone by a retry.
    if (TERMINAL.has(frame.type) && seq >= this.#horizon) this.#newestEnd = seq;
    this.#check();
  }

  #gap(gap) {
    if ((gap.to !== null && !(gap.to > this.last)) || !this.#took(gap)) return;
    if (gap.to === null) this.#newestEnd = this.last; // the job was deleted
    else this.last = gap.to;
    this.#check();
  }

  #took(event) {
    this.#behind = !this.#take(event);
    return !this.#behind;
  }

  #check() {
    if (this.#newestEnd === null || this.last < this.#newestEnd) return;
    this.stop();
    this.#end();
  }
}

const missing = (jobId, from, to) => ({ type: "gap", jobId, from, to });

export class TenantTopic extends Topic {
  static of(live, tenantId) {
    const key = `tenant:${tenantId}`;
    return live.topic(key) ?? new TenantTopic(live, key, { tenantId });
  }

  valid({ cursor }) {
    return typeof cursor === "string";
  }

  oldest() {
    const known = [...this.watches].map(({ cursor }) => cursor).filter(Boolean);
    // Cursors are decimal numbers to whoever makes them.
    return known.sort((one, other) => one.length - other.length || (one < other ? -1 : 1))[0];
  }
}

/** A watch of a tenant: the status events since `cursor`, then live, without end. */
export class TenantWatch {
  #take;
  #end;
  #behind = false;

  constructor(live, tenantId, cursor, { take, end }) {
    this.tenantId = tenantId;
    this.cursor = cursor;
    this.#take = take;
    this.#end = end;
    this.topic = TenantTopic.of(live, tenantId);
    this.topic.add(this);
  }

  resume() {
    if (this.#behind) this.topic.open();
  }

  stop() {
    this.topic.remove(this);
  }

  end(error) {
    this.#end(error);
  }

  start({ cursor, recovered }) {
    const { tenantId, cursor: from } = this;
    this.#behind = false;
    if (from && !recovered) this.#take({ type: "gap", tenantId, from, to: cursor });
    if (!from || !recovered) this.cursor = cursor;
  }

  receive(frame) {
    if (this.#behind || (frame.type !== "gap" && !frame.cursor)) return;
    if (this.#take(frame)) this.cursor = frame.cursor ?? frame.to ?? this.cursor;
    else this.#behind = true;
  }
}

// What is followed over the socket: a job, or all jobs of a tenant. One subscription each, however
// many watch it, each from where it stands.

import { JobcastError } from "./errors.js";
import { Feed } from "./feed.js";

const ENDED = new Set(["DONE", "FAILED", "CANCELLED"]);
const TERMINAL = new Set(["job:done", "job:failed", "job:cancelled"]);

class Topic {
  #live;
  #key;
  #what;
  #of; // the class of watches
  #watches = new Set();
  #round = 0;
  #asked = false;
  #ready = false;

  constructor(live, key, what, of) {
    this.#live = live;
    this.#key = key;
    this.#what = what;
    this.#of = of;
  }

  static of(live, key, what, of) {
    return live.topic(key) ?? new Topic(live, key, what, of);
  }

  add(watch) {
    this.#watches.add(watch);
    if (this.#live.topic(this.#key) !== this) this.#live.enter(this.#key, this);
    else this.open();
  }

  remove(watch) {
    if (!this.#watches.delete(watch) || this.#watches.size) return;
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
    this.#ready = false;
    this.#asked = true;
    const places = [...this.#watches].map(({ place }) => place).filter((place) => place != null);
    const after = places.sort(this.#of.order)[0];
    this.#live.ask({ type: "subscribe", ...this.#what, after }, (answer, error) => {
      if (round === this.#round) this.#answered(answer, error);
    });
  }

  lost() {
    this.#round++;
    this.#ready = this.#asked = false;
  }

  refused(error) {
    for (const watch of [...this.#watches]) watch.end(error);
  }

  receive(frame) {
    const known = frame.type === "gap" || frame.type.startsWith("job:");
    if (this.#ready && known) for (const watch of [...this.#watches]) watch.receive(frame);
  }

  #answered(answer, error) {
    if (answer?.type === "subscribed" && this.#of.valid(answer)) {
      this.#ready = true;
      for (const watch of [...this.#watches]) watch.start(answer);
      return;
    }
    this.#asked = false;
    if (error?.code === "DISCONNECTED") return;
    if (error?.temporary) this.#live.later(this.#key, error);
    else this.refused(error ?? new JobcastError("The server's answer is none."));
  }
}

/** One who watches a topic; `place` is up to where all was seen. */
class Watch {
  #topic;
  #feed = new Feed();
  #behind = false; // the reader has no room: what comes is asked for again

  constructor(topic, place) {
    this.place = place;
    this.#topic = topic;
  }

  /** What comes, until it ends or the signal is aborted. */
  async *read(signal) {
    signal?.throwIfAborted();
    this.#topic.add(this);
    try {
      yield* this.#feed.read(signal, () => this.#behind && this.#topic.open());
    } finally {
      this.#topic.remove(this);
    }
  }

  end(error) {
    this.#topic.remove(this);
    this.#feed.end(error);
  }

  start(answer) {
    this.#behind = false;
    this.started(answer);
  }

  receive(frame) {
    if (!this.#behind) this.received(frame);
  }

  /** Hands an event to the reader; false where there is no room. */
  take(event) {
    this.#behind = this.#behind || !this.#feed.push(event);
    return !this.#behind;
  }
}

/** A job: every event with seq > `place` once, in order, up to the newest terminal one. */
export class JobWatch extends Watch {
  #jobId;
  #horizon = 0; // the newest seq when the subscription began
  #newestEnd = null; // the seq after which nothing comes

  constructor(live, jobId, after) {
    super(Topic.of(live, `job:${jobId}`, { jobId }, JobWatch), after);
    this.#jobId = jobId;
  }

  static order = (one, other) => one - other;
  static valid = ({ seq }) => Number.isSafeInteger(seq);

  started({ seq, job }) {
    const ended = ENDED.has(job?.status);
    // An `after` beyond the newest event would hide every event up to it.
    this.place = Math.min(this.place ?? (ended ? seq - 1 : seq), seq);
    this.#horizon = seq;
    this.#newestEnd = ended ? seq : null;
    this.#check();
  }

  received(frame) {
    if (frame.type === "gap") return this.#gap(frame);
    const { type, seq } = frame;
    if (!Number.isSafeInteger(seq) || seq <= this.place) return;
    // Servers don't skip any; if one does, that is said.
    const from = this.place + 1;
    if (seq > from) this.#gap({ type: "gap", jobId: this.#jobId, from, to: seq - 1 });
    if (!this.take(frame)) return;
    this.place = seq;
    // A terminal event before the horizon was undone by a retry.
    if (TERMINAL.has(type) && seq >= this.#horizon) this.#newestEnd = seq;
    this.#check();
  }

  #gap(gap) {
    const deleted = gap.to === null;
    if (!(deleted || gap.to > this.place) || !this.take(gap)) return;
    if (deleted) this.#newestEnd = this.place;
    else this.place = gap.to;
    this.#check();
  }

  #check() {
    if (this.#newestEnd !== null && this.place >= this.#newestEnd) this.end();
  }
}

/** A tenant: the status events since the cursor `place`, then live, without end. */
export class TenantWatch extends Watch {
  #tenantId;

  constructor(live, tenantId, after) {
    super(Topic.of(live, `tenant:${tenantId}`, { tenantId }, TenantWatch), after);
    this.#tenantId = tenantId;
  }

  // Cursors are decimal numbers to whoever makes them.
  static order = (one, other) => one.length - other.length || (one < other ? -1 : 1);
  static valid = ({ cursor }) => typeof cursor === "string";

  started({ cursor, recovered }) {
    const from = this.place;
    if (from && !recovered) this.take({ type: "gap", tenantId: this.#tenantId, from, to: cursor });
    if (!from || !recovered) this.place = cursor;
  }

  received(frame) {
    const cursor = frame.cursor ?? frame.to;
    if (typeof cursor === "string" && this.take(frame)) this.place = cursor;
  }
}

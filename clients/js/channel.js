import { JobcastError } from "./errors.js";
import { Feed } from "./feed.js";
import { segment } from "./http.js";
import { Listeners } from "./listeners.js";
import { unless } from "./waits.js";

const EARLY = 1_000; // events kept for the first who takes messages

/** A channel; made by `jobcast.channel(name)`. */
export class Channel {
  presence = null;
  position = null;
  #http;
  #live;
  #key;
  #what;
  #listeners = new Listeners();
  #feeds = new Set();
  #early = []; // null once somebody takes messages
  #joining = null; // {promise, resolve, reject}
  #joined = false;
  #round = 0;

  /** `context` = {http, live}. */
  constructor({ http, live }, name, tenantId) {
    this.name = name;
    this.#http = http;
    this.#live = live;
    this.#key = `channel:${name}`;
    this.#what = { channel: name, tenantId };
  }

  async join({ after, epoch, signal } = {}) {
    signal?.throwIfAborted();
    if (this.#joined) {
      const { after: offset, epoch } = this.position;
      return { ...this.presence, offset, epoch, recovered: true };
    }
    const topic = this.#live.topic(this.#key);
    if (topic && topic !== this)
      throw new JobcastError(`Channel ${this.name} of another tenant is joined here already.`);
    if (!topic) {
      this.position = after === undefined ? null : { after, epoch };
      this.#joining = {};
      this.#joining.promise = new Promise((resolve, reject) =>
        Object.assign(this.#joining, { resolve, reject }),
      );
      this.#live.enter(this.#key, this);
    }
    return unless(signal, this.#joining.promise, () => this.leave());
  }

  async publish(data, { signal } = {}) {
    const { offset } = await this.#live.command({ type: "publish", ...this.#what, data }, signal);
    return { offset };
  }

  async history({ after, epoch, signal } = {}) {
    const path = `/channels/${segment(this.name)}/messages`;
    const query = { after, epoch, tenantId: this.#what.tenantId };
    return (await this.#http.call("GET", path, { query, signal })).data;
  }

  async leave() {
    if (this.#live.topic(this.#key) !== this) return;
    if (this.#live.isOpen)
      await new Promise((left) => this.#live.ask({ type: "leave", ...this.#what }, left));
    this.#live.leave(this.#key);
    this.refused();
  }

  on(event, listener) {
    const off = this.#listeners.add(event, listener);
    if (event === "message") this.#hear((early) => early.type === event && listener(early));
    return off;
  }

  async *[Symbol.asyncIterator]() {
    const feed = new Feed();
    this.#feeds.add(feed);
    this.#hear((early) => feed.push(early));
    try {
      yield* feed.read(undefined, () => this.#caughtUp(feed));
    } finally {
      this.#feeds.delete(feed);
    }
  }

  // ── what the socket calls ───────────────────────────────────────────────────────────────────

  open() {
    const round = ++this.#round;
    const { after, epoch } = this.position ?? {};
    this.#live.ask({ type: "join", ...this.#what, after, epoch }, (answer, error) => {
      if (round === this.#round) this.#answered(answer, error);
    });
  }

  lost() {
    this.#round++;
  }

  refused(error) {
    this.#round++;
    this.#joined = false;
    this.presence = null;
    this.#early = [];
    this.#joining.reject(error ?? new JobcastError("The channel was left.", { code: "CLOSED" }));
    for (const feed of this.#feeds) feed.end(error);
    this.#feeds.clear();
  }

  receive(frame) {
    if (!this.#joined) return;
    if (frame.type === "message") this.#message(frame);
    else if (frame.type === "gap") this.#gap(frame);
    else if (frame.type === "presence") this.#crowd(frame);
  }

  // ── within ──────────────────────────────────────────────────────────────────────────────────

  #answered(answer, error) {
    if (error?.code === "DISCONNECTED") return;
    if (error?.temporary) return this.#live.later(this.#key, error);
    if (answer?.type !== "joined" || !Number.isSafeInteger(answer.offset)) {
      this.#live.leave(this.#key);
      return this.refused(error ?? new JobcastError("The server's answer is none."));
    }
    const { count, users, offset, epoch, recovered } = answer;
    const known = this.position;
    this.#joined = true;
    if (known?.epoch !== undefined && known.epoch !== epoch)
      this.#gap({ type: "gap", channel: this.name, from: known.after + 1, to: null, epoch });
    else this.position = { after: Math.min(known?.after ?? offset, offset), epoch };
    this.#crowd({ type: "presence", channel: this.name, count, users });
    this.#joining.resolve({ count, users, offset, epoch, recovered });
  }

  #message(message) {
    const { offset } = message;
    if (!Number.isSafeInteger(offset)) return;
    const { after, epoch } = this.position;
    if (offset > 0) {
      // 0: it could not be kept, so it has no place.
      if (offset <= after) return;
      if (offset > after + 1)
        this.#gap({ type: "gap", channel: this.name, from: after + 1, to: offset - 1 });
      this.position = { after: offset, epoch };
    }
    this.#emit(message);
  }

  #gap(gap) {
    if (gap.epoch !== undefined) this.position = { after: 0, epoch: gap.epoch };
    else if (gap.to > this.position.after) this.position = { ...this.position, after: gap.to };
    this.#emit(gap);
  }

  #crowd({ type, channel, count, users }) {
    this.presence = { count, users };
    this.#emit({ type, channel, count, users });
  }

  #emit(event) {
    this.#early?.push(event);
    if (this.#early?.length > EARLY) this.#early.shift();
    this.#listeners.tell(event.type, event);
    for (const feed of this.#feeds) this.#feed(feed, event);
  }

  /** A reader that is too far behind hears of a gap instead. */
  #feed(feed, event) {
    if (!feed.missed && feed.push(event)) return;
    if (event.offset) feed.missed ??= { type: "gap", channel: this.name, from: event.offset };
    if (event.offset) feed.missed.to = event.offset;
  }

  #caughtUp(feed) {
    const { missed } = feed;
    feed.missed = undefined;
    if (missed) feed.push(missed);
  }

  /** Gives what came early to the first who takes messages. */
  #hear(take) {
    const early = this.#early ?? [];
    this.#early = null;
    early.forEach(take);
  }
}

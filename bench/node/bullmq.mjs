// BullMQ on Node: the roles of bench/peers/roles.py. Ended jobs are removed, which is its fastest.
import { openSync, writeSync, readSync, constants } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import IORedis from "ioredis";
import { Queue, Worker } from "bullmq";

const PAYLOAD = { text: "x".repeat(138) };
const OPTIONS = { removeOnComplete: true, removeOnFail: true };
const WARM_UP = 20;
const PAUSE = 20;

const connection = new IORedis(process.env.BENCH_URL, { maxRetriesPerRequest: null });
const now = () => (performance.timeOrigin + performance.now()) / 1000;

async function fill(count) {
  const queue = new Queue("noop", { connection });
  for (let start = 0; start < count; start += 1000) {
    const size = Math.min(1000, count - start);
    await queue.addBulk(
      Array.from({ length: size }, () => ({ name: "noop", data: PAYLOAD, opts: OPTIONS })),
    );
  }
  await queue.close();
}

async function work() {
  const count = Number(process.env.BENCH_COUNT);
  const pipe = openSync(process.env.BENCH_MARKS, "w");
  let seen = 0;
  new Worker(
    "noop",
    async () => {
      seen += 1;
      if (count === 0 || seen === 1 || seen === count) writeSync(pipe, `${now().toFixed(6)}\n`);
      return { ok: true };
    },
    { connection, concurrency: 100 },
  );
  await new Promise(() => {});
}

async function submit(seconds, callers) {
  const queue = new Queue("noop", { connection });
  const call = () => queue.add("noop", PAYLOAD, OPTIONS);
  await call();
  const began = performance.now();
  const ends = began + seconds * 1000;
  const caller = async () => {
    let count = 0;
    while (performance.now() < ends) {
      await call();
      count += 1;
    }
    return count;
  };
  const counts = await Promise.all(Array.from({ length: callers }, caller));
  const count = counts.reduce((sum, one) => sum + one, 0);
  console.log(JSON.stringify({ count, seconds: (performance.now() - began) / 1000 }));
  await queue.close();
}

async function latency(rounds) {
  const queue = new Queue("noop", { connection });
  await queue.waitUntilReady();
  const pipe = openSync(process.env.BENCH_MARKS, constants.O_RDWR);
  const piece = Buffer.alloc(64);
  const found = [];
  for (let round = 0; round < WARM_UP + rounds; round += 1) {
    const began = now();
    await queue.add("noop", PAYLOAD, OPTIONS);
    const size = readSync(pipe, piece);
    found.push((Number(piece.toString("utf8", 0, size)) - began) * 1000);
    await sleep(PAUSE);
  }
  console.log(JSON.stringify(found.slice(WARM_UP)));
  await queue.close();
}

const [role, ...given] = process.argv.slice(2);
const roles = { prepare: async () => {}, fill, work, submit, latency };
await roles[role](...given.map(Number));
process.exit(0);

// The smallest client in Node, with nothing but `ws`: submit, follow, resume.
//
//   npm ci && node client.mjs "every word as it comes"

import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const url = (process.env.JOBCAST_URL ?? "http://127.0.0.1:3000").replace("http", "ws") + "/ws";
const headers = { "X-API-Key": process.env.JOBCAST_API_KEY };
const text = process.argv.slice(2).join(" ") || "every word as it comes";

// The same key and body is the same submission: it may be sent again after a lost answer.
const submit = {
  type: "submit",
  idempotencyKey: randomUUID(),
  job: { type: "recite", payload: { text } },
};
let jobId = null;
let last = 0;

function connect() {
  const socket = new WebSocket(url, { headers });
  // What was missed comes first, then what is new.
  socket.on("open", () =>
    socket.send(JSON.stringify(jobId ? { type: "subscribe", jobId, after: last } : submit)),
  );
  socket.on("message", (message) => {
    const event = JSON.parse(message);
    if (event.type.startsWith("job:")) last = event.seq;
    if (event.type === "accepted") jobId = event.job.id;
    if (event.type === "job:output") process.stdout.write(event.data.token);
    if (event.type === "error") end(1, event.message);
    if (event.type === "job:done") end(0, `\n${event.type}: ${JSON.stringify(event.result)}`);
    if (event.type === "job:failed") end(1, `\n${event.type}: ${event.error}`);
    if (event.type === "job:cancelled") end(1, `\n${event.type}`);
  });
  socket.on("error", () => {}); // a close follows
  socket.on("close", (code, reason) => {
    // 1008 and 3500 to 3999 mean: do not come again.
    if (code === 1008 || code >= 3500) end(1, String(reason));
    else setTimeout(connect, 200 + Math.random() * 1800);
  });
}

function end(code, line) {
  console.log(line);
  process.exit(code);
}

connect();

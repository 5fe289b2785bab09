// Watches one job with npm's `ws`: node watch.mjs SOCKET_URL API_KEY JOB_ID AFTER
// Prints every frame as it came, one a line, and ends after the job's end.
import WebSocket from "ws";

const [url, key, jobId, after] = process.argv.slice(2);
const socket = new WebSocket(url, { headers: { "X-API-Key": key } });

socket.on("message", (data, isBinary) => {
  const text = data.toString();
  console.log(text);
  const frame = JSON.parse(text);
  if (isBinary || frame.type === "error") process.exit(1);
  if (frame.type === "connected") {
    socket.send(JSON.stringify({ type: "subscribe", jobId, after: Number(after) }));
  }
  if (["job:done", "job:failed", "job:cancelled"].includes(frame.type)) socket.close(1000);
});
socket.on("error", (problem) => {
  console.error(problem);
  process.exit(1);
});

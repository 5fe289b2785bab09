// Receives webhooks the way many receivers do: Express parses the body, and the signature is
// checked on what JSON.stringify makes of it again. node receiver.mjs SECRET
// Prints {"port"} once it listens, then one JSON line a webhook. Ends with its standard input.
import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";

const [secret] = process.argv.slice(2);
const app = express();
app.use(express.json());

app.post("/hook", (request, response) => {
  const again = JSON.stringify(request.body);
  const wanted = Buffer.from(`sha256=${createHmac("sha256", secret).update(again).digest("hex")}`);
  const given = Buffer.from(request.get("X-Jobcast-Signature") ?? "");
  const valid = wanted.length === given.length && timingSafeEqual(wanted, given);
  response.status(valid ? 200 : 401).json({ received: valid });
  console.log(JSON.stringify({ valid, body: request.body }));
});

const server = app.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
process.stdin.on("end", () => process.exit(0)).resume();

// A receiver of Jobcast's webhooks in Express.
//
//   npm ci && WEBHOOK_SECRET=… node express_receiver.mjs

import express from "express";
import { InvalidSignature, verify } from "../../clients/js/webhooks.js";

const secret = process.env.WEBHOOK_SECRET;
const port = Number(process.env.RECEIVER_PORT ?? 9000);

/** By `webhook-id`. Yours is a table with a unique key, written in the transaction of the work. */
const done = new Set();

const app = express();

// `raw`: the bytes as they came; parsed and written anew they would not do.
app.post("/hooks/jobcast", express.raw({ type: "*/*", limit: "3mb" }), async (request, response) => {
  let event;
  try {
    event = await verify(request.body, request.headers, secret);
  } catch (problem) {
    if (!(problem instanceof InvalidSignature)) throw problem;
    response.status(401).send(problem.message);
    return;
  }
  // The same event may come twice: after an answer that was lost, or a redelivery.
  const id = request.headers["webhook-id"];
  if (!done.has(id)) {
    done.add(id);
    console.log(`${event.type} ${event.jobId}: ${event.status}`);
  }
  // Anything but 2xx is tried again for hours, so answer soon and work later. 410: never again.
  response.sendStatus(204);
});

const server = app.listen(port, "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);

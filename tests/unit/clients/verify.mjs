// Reads {body (base64), headers, secret, options} lines; writes {event} or {refused} for each.
import { createInterface } from "node:readline";
import { verify } from "../../../clients/js/webhooks.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { body, headers, secret, options, asHeaders } = JSON.parse(line);
  try {
    const given = asHeaders ? new Headers(headers) : headers;
    const event = await verify(Buffer.from(body, "base64"), given, secret, options);
    console.log(JSON.stringify({ event }));
  } catch (problem) {
    console.log(JSON.stringify({ refused: problem.name, why: problem.message }));
  }
}

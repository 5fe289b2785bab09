// For receivers of Jobcast's webhooks: is this request genuine?
//
//   import { verify } from "./webhooks.js";
//   const event = await verify(body, request.headers, process.env.WEBHOOK_SECRET);
//
// No dependencies: WebCrypto alone, so it runs in Node 20 or newer, Deno, Bun and at the edge.

export class InvalidSignature extends Error {
  name = "InvalidSignature";
}

const PREFIX = "whsec_";
const encoder = new TextEncoder();

/**
 * What a webhook says, once its signature is found good.
 *
 * @param {string | Uint8Array} body the body as it arrived, not parsed and written anew
 * @param {Headers | Record<string, string | string[] | undefined>} headers in any case of letters
 * @param {string} secret of the sender: `whsec_` and base64, or any text
 * @param {{tolerance?: number, now?: number}} [options] seconds that the request may be old or
 *   ahead (300), and the time in seconds (the clock's)
 * @returns {Promise<any>} the event; `webhook-id` names it and is the same when it is sent again
 * @throws {InvalidSignature} for whatever is not genuine, or too old to be believed
 */
export async function verify(body, headers, secret, options = {}) {
  const { tolerance = 300, now = Date.now() / 1000 } = options;
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature");
  if (!id || !timestamp || !signatures)
    throw new InvalidSignature(
      "The request lacks a header: webhook-id, webhook-timestamp and webhook-signature.",
    );
  const key = await crypto.subtle.importKey(
    "raw",
    keyOf(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const signed = joined(encoder.encode(`${id}.${timestamp}.`), bytes);
  let genuine = false;
  for (const signature of signatures.split(" ")) {
    const given = signature.startsWith("v1,") ? decoded(signature.slice(3)) : null;
    // WebCrypto compares in constant time.
    if (given && (await crypto.subtle.verify("HMAC", key, given, signed))) genuine = true;
  }
  if (!genuine) throw new InvalidSignature("No signature of the request was made with this secret.");
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > tolerance)
    throw new InvalidSignature(
      "The request was signed too long ago, or by a clock that is ahead.",
    );
  return JSON.parse(new TextDecoder().decode(bytes));
}

function header(headers, name) {
  if (typeof headers.get === "function") return headers.get(name);
  for (const [key, value] of Object.entries(headers))
    if (key.toLowerCase() === name) return Array.isArray(value) ? value[0] : value;
  return undefined;
}

function keyOf(secret) {
  const key = secret.startsWith(PREFIX)
    ? decoded(secret.slice(PREFIX.length))
    : encoder.encode(secret);
  if (!key?.length) throw new TypeError("A webhook secret is any text, or whsec_ and base64.");
  return key;
}

function decoded(base64) {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function joined(first, second) {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

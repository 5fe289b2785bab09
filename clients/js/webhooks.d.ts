/** The request is not genuine, or too old to be believed. */
export class InvalidSignature extends Error {
  name: "InvalidSignature";
}

/** The body of a webhook. */
export interface WebhookEvent<R = unknown> {
  jobId: string;
  type: string;
  status: "DONE" | "FAILED" | "CANCELLED";
  result: R | null;
  error: string | null;
  attempts: number;
  seq: number;
  timestamp: string;
}

/**
 * What a webhook says, once its signature is found good; else rejected with InvalidSignature.
 *
 * `body` is what arrived, not parsed and written anew. `secret` is `whsec_` and base64, or any text.
 * `tolerance` is how many seconds the request may be old or ahead (300), `now` the time in seconds.
 */
export function verify<R = unknown>(
  body: string | Uint8Array,
  headers: Headers | Record<string, string | string[] | undefined>,
  secret: string,
  options?: { tolerance?: number; now?: number },
): Promise<WebhookEvent<R>>;

// What can go wrong between a program and its Jobcast server.

export class JobcastError extends Error {
  name = "JobcastError";

  constructor(message, about = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.status = about.status ?? null;
    this.code = about.code ?? "ERROR";
    this.details = about.details ?? {};
    this.requestId = about.requestId ?? null;
    this.retryAfter = about.retryAfter ?? null;
    this.temporary = about.temporary ?? false;
  }
}

export class JobFailed extends Error {
  name = "JobFailed";

  constructor(jobId, status, error) {
    super(status === "CANCELLED" ? `Job ${jobId} was cancelled.` : `Job ${jobId} failed: ${error}`);
    this.jobId = jobId;
    this.status = status;
    this.error = error;
  }
}

/** The error that an `error` frame speaks of. */
export const refusal = ({ code, message, errors, retryAfter, temporary }) =>
  new JobcastError(typeof message === "string" ? message : "The server refused this.", {
    code: typeof code === "string" ? code : undefined,
    details: errors,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    temporary: temporary === true,
  });

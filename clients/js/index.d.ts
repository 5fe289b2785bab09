// The surface of `@jobcast/client`. What crosses the socket is in types.d.ts, which is generated.

import type {
  Gap,
  JobCancelled,
  JobDone,
  JobFailed as JobFailedEvent,
  JobLog,
  JobOutput,
  JobPending,
  JobProcessing,
  JobProgress,
  JobRetrying,
  Json,
  Message,
  Presence,
} from "./types.js";

export type * as wire from "./types.js";
export type {
  Gap,
  JobCancelled,
  JobDone,
  JobFailedEvent,
  JobLog,
  JobOutput,
  JobPending,
  JobProcessing,
  JobProgress,
  JobRetrying,
  Json,
  Message,
  Presence,
};

export type JobStatus = "PENDING" | "PROCESSING" | "DONE" | "FAILED" | "CANCELLED";

/** What happens to a job; `type` tells which. */
export type JobEvent =
  | JobPending
  | JobProcessing
  | JobProgress
  | JobLog
  | JobOutput
  | JobRetrying
  | JobDone
  | JobFailedEvent
  | JobCancelled;

/** What changes the status of a job; `cursor` is where to go on with `jobcast.events({ after })`. */
export type StatusEvent = Exclude<JobEvent, JobProgress | JobLog | JobOutput> & { cursor: string };

/** A job as the server shows it. Lists leave out `payload` and `result`. */
export interface JobData<R = unknown> {
  id: string;
  tenantId: string;
  userId: string | null;
  queue: string;
  type: string;
  status: JobStatus;
  payload?: unknown;
  result?: R | null;
  error: string | null;
  progress: { percent: number; note: string | null } | null;
  priority: number;
  attempts: number;
  maxAttempts: number;
  tags: string[];
  channel: string | null;
  webhookUrl: string | null;
  seq: number;
  runAt: string;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  /** Only in the answer to a submit that asked for it. */
  watchToken?: string;
}

export interface LogLine {
  id: string;
  jobId: string;
  message: string;
  createdAt: string;
  seq: number;
  level: "debug" | "info" | "warning" | "error";
  attempt: number;
}

export interface OutputPiece<T = unknown> {
  seq: number;
  attempt: number;
  at: string;
  data: T;
}

export interface JobFile {
  name: string;
  contentType: string;
  /** In bytes. */
  size: number;
  createdAt: string;
  url: string;
}

export interface WebhookLog {
  id: string;
  jobId: string;
  url: string;
  payload: unknown;
  statusCode: number | null;
  success: boolean;
  attempt: number;
  error: string | null;
  createdAt: string;
  deliveryId: string;
  response: string | null;
}

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

export interface JobcastOptions {
  /** Where the server is, with its path if it is mounted below one. In a page: its origin. */
  url?: string | URL;
  apiKey?: string;
  /** An access token. */
  token?: string;
  /** Gives an access token; called anew when `stale`, the one before, has ended or is about to. */
  getToken?: (stale: string | undefined) => string | Promise<string>;
  /** The refresh token of a login, or what gives the newest one (that another tab has stored). */
  refresh?: string | (() => string | Promise<string>);
  /** A token that reads one job. */
  watchToken?: string;
  /** A name of one's own, for the `public:` channels of a server that lets guests in. */
  guest?: string;
  fetch?: typeof globalThis.fetch;
  /** A class of sockets where there is no global one: Node 20 needs that of npm's `ws`. */
  WebSocket?: WebSocketClass;
}

/** A class of sockets that are used as browsers' are. */
export type WebSocketClass = new (url: string) => {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
};

/** The one socket: `closed` also while nothing needs it. */
export interface Connection {
  state: "connecting" | "open" | "waiting" | "closed";
  /** With `waiting`: milliseconds until the next try. */
  inMs?: number;
  /** Why there is none: with `waiting`, and with `closed` where the server doesn't want us back. */
  error?: Error;
}

export interface Listeners {
  connection: (connection: Connection) => void;
  /** A refreshed login: store both. */
  tokens: (tokens: Tokens) => void;
}

export interface Signal {
  /** When it is aborted, what waits is rejected with its reason. */
  signal?: AbortSignal | null;
}

export interface SubmitOptions extends Signal {
  queue?: string;
  /** -100 to 100, high first. */
  priority?: number;
  runAt?: string | Date;
  delayMs?: number;
  maxAttempts?: number;
  timeoutMs?: number;
  tags?: string[];
  uniqueKey?: string;
  webhookUrl?: string;
  channel?: string;
  /** For service keys: whose job it is. */
  tenantId?: string;
  /** Adds `watchToken` to `job.data`. */
  watchToken?: boolean;
  /** The same key within 24 hours is the same job. Each call has one of its own by default. */
  idempotencyKey?: string;
}

export interface JobFilters extends Signal {
  status?: JobStatus;
  type?: string;
  queue?: string;
  tag?: string;
  userId?: string;
  tenantId?: string;
  /** An id, the start of a type, or a tag. */
  q?: string;
  sort?: "createdAt" | "-createdAt";
  page?: number;
  /** 10 by default, at most 100. */
  limit?: number;
  cursor?: string;
}

export interface PageMeta {
  total: number;
  page: number;
  limit: number;
  totalPages: number;
  hasNextPage: boolean;
  hasPrevPage: boolean;
  totalIsExact?: false;
  cursor?: string;
}

export interface JobsPage {
  jobs: JobData[];
  meta: PageMeta;
}

export interface Page<T> {
  items: T[];
  meta: PageMeta;
}

export interface RequestOptions extends Signal {
  /** Written as JSON; a string is sent as the JSON text that it is. */
  body?: unknown;
  /** What is null or undefined is left out. */
  query?: Record<string, string | number | boolean | null | undefined>;
  headers?: Record<string, string>;
  /**
   * Whether it is sent again where no answer came; if not said, a GET is. For what must not be done
   * twice give an `Idempotency-Key`, where the route takes one.
   */
  repeatable?: boolean;
}

export class Jobcast {
  constructor(options?: JobcastOptions);

  /** Where the server is, without a slash at the end. */
  readonly url: string;
  /** How the socket stands. */
  readonly connection: Connection;

  /**
   * Submits a job. Safe to repeat, and repeated by itself for half a minute after a network fault
   * or while the server asks to wait.
   */
  submit<R = unknown>(type: string, payload?: object, options?: SubmitOptions): Promise<Job<R>>;

  /** A handle on a job; asks nothing. */
  job<R = unknown>(id: string): Job<R>;

  /** Awaited, one page; in `for await`, all pages from there on. */
  jobs(filters?: JobFilters): PromiseLike<JobsPage> & AsyncIterable<JobsPage>;

  /**
   * The status events of all jobs of the tenant: those since the cursor `after` if there is one,
   * then live, without end. After a reconnect some may come again (known by jobId and seq), none
   * is skipped without a `gap`.
   */
  events(
    options?: { after?: string; tenantId?: string } & Signal,
  ): AsyncGenerator<StatusEvent | Gap, void, void>;

  channel(name: string, options?: { tenantId?: string }): Channel;

  /** `data` of the answer to a request for `path` under /api, such as "/queues". */
  request<T = any>(method: string, path: string, options?: RequestOptions): Promise<T>;

  /** One page of the list at `path` under /api, such as "/schedules"; `query` takes page and limit. */
  page<T = any>(path: string, options?: Omit<RequestOptions, "body">): Promise<Page<T>>;

  /** Listens; the answer stops listening. */
  on<E extends keyof Listeners>(event: E, listener: Listeners[E]): () => void;

  /** Lets go of the socket until `resume()`; what is watched goes on then where it stopped. */
  pause(): void;
  resume(): void;

  /** Ends all that is watched: iterators end, promises that wait for the socket are rejected. */
  close(): void;
}

export class Job<R = unknown> {
  private constructor();

  readonly id: string;
  /** The job as last seen by `submit()`, `show()`, `cancel()` or `retry()`; null before that. */
  readonly data: JobData<R> | null;

  /** The job as it is now, or as soon as it ends within `wait` seconds (at most 60). */
  show(options?: { wait?: number } & Signal): Promise<JobData<R>>;

  /**
   * Its events with seq > `after` (0: all of them; null: only what comes from now on, or the end of
   * a job that has ended), in order, each once, over any number of reconnects. Ends after the
   * newest terminal event. A `gap` says what can't be had.
   */
  events(options?: { after?: number | null } & Signal): AsyncGenerator<JobEvent | Gap, void, void>;

  /** What it returns; rejected with JobFailed where it fails or is cancelled. */
  result(options?: Signal): Promise<R>;

  /** Also while it runs; a result that comes first wins. */
  cancel(options?: Signal): Promise<JobData<R>>;

  /** Runs a FAILED or CANCELLED job again, with another payload if one is given. */
  retry(options?: { payload?: object } & Signal): Promise<JobData<R>>;

  /** Cancels a job that is PENDING; refused for any other. */
  delete(options?: Signal): Promise<{ id: string; status: JobStatus; updatedAt: string }>;

  logs(options?: { after?: number; limit?: number } & Signal): Promise<LogLine[]>;

  /** Streamed output: of the latest attempt unless `attempt` says another, or "all". */
  output<T = unknown>(
    options?: { after?: number; limit?: number; attempt?: number | "all" } & Signal,
  ): Promise<OutputPiece<T>[]>;

  files(options?: Signal): Promise<JobFile[]>;

  /** The bytes of a file. */
  file(name: string, options?: Signal): Promise<Blob>;

  /** The address of a file; a plain link needs a watch token (the client's own by default). */
  fileUrl(name: string, watchToken?: string): string;

  /** A token that reads this job alone; 15 minutes by default, `expiresIn` in seconds. */
  watchToken(
    options?: { expiresIn?: number } & Signal,
  ): Promise<{ watchToken: string; expiresAt: string }>;

  webhookLogs(options?: Signal): Promise<WebhookLog[]>;

  /** Sends a webhook again; `deliveryId` is that of a log row. */
  redeliver(deliveryId: string, options?: Signal): Promise<{ jobId: string; deliveryId: string }>;
}

/** Who is in a channel: `count` connections of `users` users. */
export interface Crowd {
  count: number;
  users: number;
}

export interface ChannelState extends Crowd {
  /** Of the newest message; with `epoch`, where to go on with `join({ after, epoch })`. */
  offset: number;
  epoch: string;
  /** Whether all that was asked for by `after` follows. */
  recovered: boolean;
}

export interface ChannelHistory {
  channel: string;
  offset: number;
  epoch: string;
  recovered: boolean;
  messages: Message[];
}

export type ChannelEvent = Message | Presence | Gap;

/**
 * A channel: one object per name. Iterating over it gives messages, presence and gaps as they come
 * after `join()`; the first that takes messages also gets what came before it. `leave()` ends it.
 */
export class Channel implements AsyncIterable<ChannelEvent> {
  private constructor();

  readonly name: string;
  /** Who is there, null while not joined. */
  readonly presence: Crowd | null;
  /** The newest message seen: `join(position)` goes on from there. */
  readonly position: { after: number; epoch: string } | null;

  /** Takes part until `leave()`; what comes is behind `after`, or from now on. */
  join(options?: { after?: number; epoch?: string } & Signal): Promise<ChannelState>;

  /** Not repeated by itself: after a lost connection it may or may not have been said. */
  publish(data: Json, options?: Signal): Promise<{ offset: number }>;

  history(options?: { after?: number; epoch?: string } & Signal): Promise<ChannelHistory>;

  leave(): Promise<void>;

  on(event: "message", listener: (message: Message) => void): () => void;
  on(event: "presence", listener: (presence: Presence) => void): () => void;
  on(event: "gap", listener: (gap: Gap) => void): () => void;

  [Symbol.asyncIterator](): AsyncGenerator<ChannelEvent, void, void>;
}

/** What the server refuses, and what can't be reached. */
export class JobcastError extends Error {
  constructor(
    message: string,
    about?: {
      status?: number | null;
      code?: string;
      details?: Record<string, string[]>;
      requestId?: string | null;
      retryAfter?: number | null;
      temporary?: boolean;
      cause?: unknown;
    },
  );
  /** Of the HTTP answer; null where there was none. */
  readonly status: number | null;
  /** Such as VALIDATION_ERROR, UNAUTHORIZED, NOT_FOUND, RATE_LIMITED, UNREACHABLE, DISCONNECTED. */
  readonly code: string;
  /** Sentences by field. */
  readonly details: Record<string, string[]>;
  readonly requestId: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  /** Whether the same may work later. */
  readonly temporary: boolean;
}

/** The job that a `result()` was wanted of has failed, or was cancelled. */
export class JobFailed extends Error {
  constructor(jobId: string, status: "FAILED" | "CANCELLED", error: string | null);
  readonly jobId: string;
  readonly status: "FAILED" | "CANCELLED";
  readonly error: string | null;
}

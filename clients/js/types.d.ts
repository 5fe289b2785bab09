// Made by `make types` from src/jobcast/wire: change them there.

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Who published: a user's id and name, `guest:…` or `job:…`. */
export interface Sender {
  id: string;
  name: string;
}

/** Credentials: exactly one of the three. On an open connection they renew its own. */
export interface Auth {
  type: "auth";
  id?: string | number | null;
  token?: string | null;
  key?: string | null;
  ticket?: string | null;
}

/** Asks for a `pong`. */
export interface Ping {
  type: "ping";
  id?: string | number | null;
}

/** Watch one job: every event with seq > `after`, then live; without `after` live only. */
export interface SubscribeJob {
  type: "subscribe";
  id?: string | number | null;
  jobId: string;
  tenantId?: string | null;
  after?: number | null;
}

/** Watch the status events of all jobs of a tenant, since the cursor `after` if there is one. */
export interface SubscribeTenant {
  type: "subscribe";
  id?: string | number | null;
  tenantId: string;
  after?: string | null;
}

/** Watch this job no longer. */
export interface UnsubscribeJob {
  type: "unsubscribe";
  id?: string | number | null;
  jobId: string;
  tenantId?: string | null;
}

/** Watch this tenant no longer. */
export interface UnsubscribeTenant {
  type: "unsubscribe";
  id?: string | number | null;
  tenantId: string;
}

/** Make a job; `job` is JSON text, parsed exactly like the body of POST /jobs. */
export interface Submit {
  type: "submit";
  id?: string | number | null;
  job: Json;
  idempotencyKey?: string | null;
  subscribe?: boolean;
}

/** End a job that waits, stop one that runs. */
export interface Cancel {
  type: "cancel";
  id?: string | number | null;
  jobId: string;
  tenantId?: string | null;
}

/** Take part in a channel; `after` (an offset) and `epoch` resume where a reader stopped. */
export interface Join {
  type: "join";
  id?: string | number | null;
  channel: string;
  tenantId?: string | null;
  after?: number | null;
  epoch?: string | null;
}

/** Take part in this channel no longer. */
export interface Leave {
  type: "leave";
  id?: string | number | null;
  channel: string;
  tenantId?: string | null;
}

/** Say `data` (any JSON, sent on as it is) to a channel. */
export interface Publish {
  type: "publish";
  id?: string | number | null;
  channel: string;
  tenantId?: string | null;
  data: Json;
}

/** The credentials are good; the server pings every `heartbeatMs`. */
export interface Connected {
  type: "connected";
  message: string;
  connectionId: string;
  heartbeatMs: number;
  protocol: number;
}

/** Who the connection now acts for, and until when (None: no end of its own). */
export interface Authenticated {
  type: "authenticated";
  id?: string | number;
  tenantId: string;
  userId: string | null;
  expiresAt: string | null;
}

/** Answers `ping`. */
export interface Pong {
  type: "pong";
  id?: string | number;
}

/** The job as it stands at `seq`; what `after` asked for follows, whole if `recovered`. */
export interface SubscribedJob {
  type: "subscribed";
  id?: string | number;
  jobId: string;
  seq: number;
  job: Json;
  recovered: boolean;
}

/** What follows starts behind `cursor` (`after`, if that was asked); whole if `recovered`. */
export interface SubscribedTenant {
  type: "subscribed";
  id?: string | number;
  tenantId: string;
  cursor: string;
  recovered: boolean;
}

/** No more events of this job, or of this tenant. */
export interface Unsubscribed {
  type: "unsubscribed";
  id?: string | number;
  jobId?: string;
  tenantId?: string;
}

/** The job is on disk; where asked for, all its events follow. */
export interface Accepted {
  type: "accepted";
  id?: string | number;
  job: Json;
}

/** The cancel is noted; `job:cancelled` follows unless a result comes first. */
export interface Cancelling {
  type: "cancelling";
  id?: string | number;
  jobId: string;
}

/** The channel as it stands: `count` connections of `users` users, newest message `offset`. */
export interface Joined {
  type: "joined";
  id?: string | number;
  channel: string;
  count: number;
  users: number;
  offset: number;
  epoch: string;
  recovered: boolean;
}

/** No more messages of this channel. */
export interface Left {
  type: "left";
  id?: string | number;
  channel: string;
}

/** The message stands at `offset` of its channel. */
export interface Published {
  type: "published";
  id?: string | number;
  channel: string;
  offset: number;
}

/**
 * A command, or a message that was none, is refused; `temporary`: it may work later.
 *
 * `errors` maps bad fields to sentences; `retryAfter` is in seconds.
 */
export interface Error {
  type: "error";
  id?: string | number;
  code: string;
  message: string;
  temporary: boolean;
  errors?: { [name: string]: string[] };
  retryAfter?: number;
}

/** It waits. */
export interface JobPending {
  type: "job:pending";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
}

/** Run number `attempt` has started. */
export interface JobProcessing {
  type: "job:processing";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
}

/** How far the run is. */
export interface JobProgress {
  type: "job:progress";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  percent: number;
  note: string | null;
}

/** A line of its log. */
export interface JobLog {
  type: "job:log";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  message: string;
  level: "debug" | "error" | "info" | "warning";
}

/** A piece of streamed output, any JSON; void when a later run starts. */
export interface JobOutput {
  type: "job:output";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  data: Json;
}

/** The run went wrong; the next one is due at `retryAt`. */
export interface JobRetrying {
  type: "job:retrying";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  error: string;
  retryAt: string;
}

/** It ended well. */
export interface JobDone {
  type: "job:done";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  result: Json;
}

/** It ended badly, for good. */
export interface JobFailed {
  type: "job:failed";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
  error: string;
}

/** It was cancelled. */
export interface JobCancelled {
  type: "job:cancelled";
  jobId: string;
  tenantId: string;
  jobType: string;
  status: string;
  seq: number;
  attempt: number;
  at: string;
  cursor?: string;
}

/** A message of a channel; `jobId` where a job published it. */
export interface Message {
  type: "message";
  channel: string;
  offset: number;
  from: Sender;
  jobId?: string;
  data: Json;
  at: string;
}

/** How many connections and users take part in a channel, over all gateways. */
export interface Presence {
  type: "presence";
  channel: string;
  count: number;
  users: number;
}

/**
 * What can't be replayed: seqs or offsets `from` up to `to`, both gone; cursors for a tenant.
 *
 * Where a channel lost its history, `to` is null, and what follows counts anew in `epoch`. Of a
 * job a `to` of null says that the job was deleted: nothing follows.
 */
export interface Gap {
  type: "gap";
  jobId?: string;
  channel?: string;
  tenantId?: string;
  from: number | string | null;
  to: number | string | null;
  epoch?: string;
}

/** Send `auth` with fresh credentials before `expiresAt`, or the socket is closed (1008). */
export interface TokenExpiring {
  type: "token:expiring";
  expiresAt: string;
}

/** This gateway goes; reconnect in so many milliseconds (or when it closes with 1012). */
export interface ServerDraining {
  type: "server:draining";
  reconnectInMs: number;
}

/** What a client may send. */
export type Command =
  | Auth
  | Ping
  | SubscribeJob
  | SubscribeTenant
  | UnsubscribeJob
  | UnsubscribeTenant
  | Submit
  | Cancel
  | Join
  | Leave
  | Publish;

/** What the server sends. */
export type Frame =
  | Connected
  | Authenticated
  | Pong
  | SubscribedJob
  | SubscribedTenant
  | Unsubscribed
  | Accepted
  | Cancelling
  | Joined
  | Left
  | Published
  | Error
  | JobPending
  | JobProcessing
  | JobProgress
  | JobLog
  | JobOutput
  | JobRetrying
  | JobDone
  | JobFailed
  | JobCancelled
  | Message
  | Presence
  | Gap
  | TokenExpiring
  | ServerDraining;

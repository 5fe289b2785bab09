import type {
  Connection,
  Gap,
  Jobcast,
  JobEvent,
  JobLog,
  JobProgress,
  JobStatus,
} from "./index.js";

/** A job as far as it was seen; a new object after every change. */
export interface JobView<R = unknown> {
  /** null until something was heard of the job. */
  readonly status: JobStatus | null;
  /** Of the present attempt. */
  readonly progress: Pick<JobProgress, "percent" | "note"> | null;
  /** The newest 1,000 lines. */
  readonly logs: readonly JobLog[];
  /** The `data` of each piece of output of the present attempt, the newest 10,000. */
  readonly output: readonly unknown[];
  /** Once it is DONE. */
  readonly result: R | undefined;
  /** What it failed with, or why it can't be watched. */
  readonly error: string | Error | null;
  /** The newest 1,000. */
  readonly events: readonly (JobEvent | Gap)[];
  readonly connection: Connection;
}

/** Watches a job while the component is mounted; with no id there is nothing to watch. */
export function useJob<R = unknown>(jobcast: Jobcast, id: string | null | undefined): JobView<R>;

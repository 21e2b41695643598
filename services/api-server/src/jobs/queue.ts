import type { BatchId } from '@factory/contracts';

/** Background work. Each may be done twice, late or never: the sweep finds again what is due. */
export type Job =
  | { readonly kind: 'planBatch'; readonly batchId: BatchId }
  | { readonly kind: 'planWaiting' }
  | { readonly kind: 'sweep' };

/** Equal jobs have equal keys: one that waits stands for all. */
export function jobKey(job: Job): string {
  switch (job.kind) {
    case 'planBatch':
      return `planBatch-${job.batchId}`;
    case 'planWaiting':
    case 'sweep':
      return job.kind;
  }
}

/** How often a job that throws is tried in all, and the pause after the first time. */
export const JOB_ATTEMPTS = 5;
export const JOB_RETRY_MS = 200;
/** How many jobs one process works on at a time. */
export const JOB_CONCURRENCY = 4;

/**
 * A queue of jobs, shared by all api-servers. A job is worked on soon after it was added, by one of
 * those that have started. A job equal to one that waits is dropped; one equal to a job that is
 * being worked on is done once more afterwards, because that one may not have seen the reason.
 * A job that throws is tried again, and given up after {@link JOB_ATTEMPTS}.
 */
export interface JobQueue {
  /** Rejects when the queue does not take it. */
  enqueue(job: Job): Promise<void>;
  /** Begins to work on jobs, in this process; does not wait until the queue can be reached. */
  start(handle: (job: Job) => Promise<void>): Promise<void>;
  /** Takes no more jobs, and waits for those that are being worked on. */
  close(): Promise<void>;
}

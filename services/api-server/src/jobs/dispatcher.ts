import { type Clock, type Logger, withDeadline } from '@factory/runtime';
import type { Job, JobQueue } from './queue.ts';

/** A queue that takes longer than this to take a job counts as lost. */
const ENQUEUE_TIMEOUT_MS = 2_000;
/** A lost queue is tried again after this time; until then jobs are done here at once. */
const LOST_FOR_MS = 5_000;

/**
 * Hands jobs to the queue; when the queue is lost, to this process itself. What is due stands in
 * the store, so that nothing depends on either.
 */
export class JobDispatcher {
  readonly #queue: JobQueue;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handle: (job: Job) => Promise<void>;
  #lostUntilMs = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    readonly queue: JobQueue;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly handle: (job: Job) => Promise<void>;
  }) {
    this.#queue = parts.queue;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#handle = parts.handle;
  }

  /** Never rejects: the sweep does what could not be done. */
  async dispatch(job: Job): Promise<void> {
    if (this.#clock.monotonicMs() < this.#lostUntilMs) return this.#doHere(job);
    try {
      const what = 'adding a job to the queue';
      await withDeadline(this.#clock, what, ENQUEUE_TIMEOUT_MS, () => this.#queue.enqueue(job));
    } catch (error) {
      this.#lostUntilMs = this.#clock.monotonicMs() + LOST_FOR_MS;
      this.#logger.warn({ err: error, job }, 'the job queue is lost; doing the job here');
      await this.#doHere(job);
    }
  }

  async #doHere(job: Job): Promise<void> {
    try {
      await this.#handle(job);
    } catch (error) {
      this.#logger.error({ err: error, job }, 'a job failed; the next sweep finds it again');
    }
  }
}

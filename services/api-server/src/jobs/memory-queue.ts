import type { Clock, Logger, Timer } from '@factory/runtime';
import {
  JOB_ATTEMPTS,
  JOB_CONCURRENCY,
  JOB_RETRY_MS,
  type Job,
  type JobQueue,
  jobKey,
} from './queue.ts';

interface Entry {
  readonly job: Job;
  attempts: number;
  isDue: boolean;
}

/** A {@link JobQueue} within one process, on its clock: for tests and simulations. */
export class MemoryJobQueue implements JobQueue {
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Keys of what waits, in order. */
  readonly #waiting = new Map<string, Entry>();
  readonly #active = new Map<string, Promise<void>>();
  /** Keys to be done once more when their job is done. */
  readonly #again = new Map<string, Job>();
  readonly #timers = new Set<Timer>();
  #handle: ((job: Job) => Promise<void>) | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  async enqueue(job: Job): Promise<void> {
    const key = jobKey(job);
    if (this.#active.has(key)) this.#again.set(key, job);
    else if (!this.#waiting.has(key)) this.#put({ job, attempts: 0, isDue: false }, 0);
  }

  async start(handle: (job: Job) => Promise<void>): Promise<void> {
    this.#handle = handle;
    this.#pump();
  }

  async close(): Promise<void> {
    this.#handle = undefined;
    for (const timer of this.#timers) timer.cancel();
    await Promise.all(this.#active.values());
  }

  #put(entry: Entry, delayMs: number): void {
    this.#waiting.set(jobKey(entry.job), entry);
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      entry.isDue = true;
      this.#pump();
    });
    this.#timers.add(timer);
  }

  #pump(): void {
    for (const [key, entry] of this.#waiting) {
      if (this.#handle === undefined || this.#active.size >= JOB_CONCURRENCY) return;
      if (!entry.isDue) continue;
      this.#waiting.delete(key);
      this.#active.set(key, this.#work(key, entry, this.#handle));
    }
  }

  async #work(key: string, entry: Entry, handle: (job: Job) => Promise<void>): Promise<void> {
    entry.attempts += 1;
    let isDone = true;
    try {
      await handle(entry.job);
    } catch (error) {
      isDone = entry.attempts >= JOB_ATTEMPTS;
      this.#logger.warn({ err: error, job: entry.job, isDone }, 'a job failed');
    }
    this.#active.delete(key);
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (!isDone) {
      entry.isDue = false;
      this.#put(entry, JOB_RETRY_MS * 2 ** (entry.attempts - 1));
    }
    if (isDone && again !== undefined) this.#put({ job: again, attempts: 0, isDue: false }, 0);
    this.#pump();
  }
}

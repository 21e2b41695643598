import type { BatchId } from '@factory/contracts';
import { type Clock, type Logger, withDeadline } from '@factory/runtime';
import { createPostgresBackend, Queue, Worker, withBackend } from 'bullmq';
import {
  JOB_ATTEMPTS,
  JOB_CONCURRENCY,
  JOB_RETRY_MS,
  type Job,
  type JobQueue,
  jobKey,
} from './queue.ts';

const QUEUE_NAME = 'api-server';
/** Failed jobs that are kept for a person to look at. */
const FAILED_KEPT = 100;
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * A killed process's jobs are taken over after this time and {@link STALLED_CHECK_MS}. BullMQ's own
 * 30 s would keep a batch waiting that long, because equal jobs are merged into the lost one.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
const WORKING = {
  concurrency: JOB_CONCURRENCY,
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_CHECK_MS,
};

const postgres = withBackend(createPostgresBackend);

/** What we need of BullMQ's classes, whatever they run on. */
interface Parts {
  readonly queue: {
    add(name: string, data: unknown, options: object): Promise<unknown>;
    close(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): unknown;
  };
  makeWorker(process: (job: { readonly data: unknown }) => Promise<void>): {
    close(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): unknown;
    on(event: 'failed', listener: (job: unknown, error: Error) => void): unknown;
  };
}

/** What the queues need of their process. */
export interface QueuePorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Jobs on BullMQ in PostgreSQL, in a schema of its own: the default. */
export function createPostgresJobQueue(url: string, ports: QueuePorts): JobQueue {
  const connection = { connectionString: url, schema: 'bullmq', migrate: true, max: 4 };
  return new BullJobQueue(
    {
      queue: new postgres.Queue(QUEUE_NAME, { connection }),
      makeWorker: (process) => new postgres.Worker(QUEUE_NAME, process, { connection, ...WORKING }),
    },
    ports,
  );
}

/** Jobs on BullMQ in Redis, for factories that have one. */
export function createRedisJobQueue(url: string, ports: QueuePorts): JobQueue {
  // A lost Redis must be noticed at once: the job is then done without the queue.
  const forAdding = { url, enableOfflineQueue: false, maxRetriesPerRequest: 1 };
  const forWorking = { url, maxRetriesPerRequest: null };
  return new BullJobQueue(
    {
      queue: new Queue(QUEUE_NAME, { connection: forAdding }),
      makeWorker: (process) =>
        new Worker(QUEUE_NAME, process, { connection: forWorking, ...WORKING }),
    },
    ports,
  );
}

class BullJobQueue implements JobQueue {
  readonly #parts: Parts;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #worker: ReturnType<Parts['makeWorker']> | undefined;

  constructor(parts: Parts, { clock, logger }: QueuePorts) {
    this.#parts = parts;
    this.#clock = clock;
    this.#logger = logger;
    parts.queue.on('error', (error) => logger.warn({ err: error }, 'the job queue has trouble'));
  }

  async enqueue(job: Job): Promise<void> {
    await this.#parts.queue.add(job.kind, job, {
      attempts: JOB_ATTEMPTS,
      backoff: { type: 'exponential', delay: JOB_RETRY_MS },
      deduplication: { id: jobKey(job), keepLastIfActive: true },
      removeOnComplete: true,
      removeOnFail: { count: FAILED_KEPT },
    });
  }

  async start(handle: (job: Job) => Promise<void>): Promise<void> {
    const worker = this.#parts.makeWorker(async ({ data }) => {
      const job = decodeJob(data);
      if (job !== undefined) await handle(job);
    });
    this.#worker = worker;
    worker.on('error', (error) => this.#logger.warn({ err: error }, 'the job worker has trouble'));
    worker.on('failed', (_job, error) => this.#logger.warn({ err: error }, 'a job failed'));
  }

  async close(): Promise<void> {
    try {
      await withDeadline(this.#clock, 'closing the job queue', CLOSE_TIMEOUT_MS, async () => {
        await this.#worker?.close();
        await this.#parts.queue.close();
      });
    } catch (error) {
      // Without its Redis BullMQ waits for ever; what was not done is found by the next sweep.
      this.#logger.warn({ err: error }, 'the job queue did not close');
    }
  }
}

/** `undefined` for jobs of a newer or older api-server that this one does not know. */
function decodeJob(data: unknown): Job | undefined {
  if (typeof data !== 'object' || data === null || !('kind' in data)) return undefined;
  switch (data.kind) {
    case 'planWaiting':
    case 'sweep':
      return { kind: data.kind };
    case 'planBatch':
      return 'batchId' in data && typeof data.batchId === 'string'
        ? { kind: 'planBatch', batchId: data.batchId as BatchId }
        : undefined;
    default:
      return undefined;
  }
}

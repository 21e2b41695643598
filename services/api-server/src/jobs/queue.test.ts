import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BatchId } from '@factory/contracts';
import { apiMigrations } from '@factory/migrations';
import { silentLogger, sleep, systemClock, waitFor } from '@factory/runtime';
import { createTestDatabase, startTestPostgres } from '@factory/runtime/postgres';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPostgresJobQueue, createRedisJobQueue } from './bullmq-queue.ts';
import { MemoryJobQueue } from './memory-queue.ts';
import { JOB_ATTEMPTS, type Job, type JobQueue, jobKey } from './queue.ts';

const ports = { clock: systemClock, logger: silentLogger };

interface Place {
  /** A queue on the place; `second` ones share its jobs. */
  connect(): JobQueue;
  close(): Promise<void>;
}

const PLACES: readonly { name: string; isShared: boolean; open(): Promise<Place> }[] = [
  {
    name: 'in memory',
    isShared: false,
    open: async () => ({
      connect: () => new MemoryJobQueue(systemClock, silentLogger),
      close: async () => undefined,
    }),
  },
  { name: 'on PostgreSQL', isShared: true, open: openPostgres },
  { name: 'on Redis', isShared: true, open: openRedis },
];

async function openPostgres(): Promise<Place> {
  const server = await startTestPostgres();
  const options = { template: 'api', migrations: apiMigrations };
  const database = await createTestDatabase(server, options);
  return {
    connect: () => createPostgresJobQueue(database.url, ports),
    close: async () => {
      await database.drop();
      await server.close();
    },
  };
}

async function openRedis(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'factory-redis-'));
  const port = 20_000 + (process.pid % 20_000);
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  const child = spawn('redis-server', [...options, '--appendonly', 'no'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = `redis://127.0.0.1:${port}`;
  const probe = new Redis(url);
  probe.on('error', () => undefined);
  await waitFor(systemClock, 'Redis', 10_000, async () =>
    (await probe.ping().catch(() => undefined)) === 'PONG' ? true : undefined,
  );
  probe.disconnect();
  return {
    connect: () => createRedisJobQueue(url, ports),
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

it('starts and closes without its Redis', async () => {
  const queue = createRedisJobQueue('redis://127.0.0.1:1', ports);
  await queue.start(async () => undefined);
  await expect(queue.close()).resolves.toBeUndefined();
}, 20_000);

const planOf = (id: number): Job => ({ kind: 'planBatch', batchId: `bat_${id}` as BatchId });

describe.each(PLACES)('a job queue $name', ({ isShared, open }) => {
  let place: Place;
  let queues: JobQueue[];
  const connect = (): JobQueue => {
    const queue = place.connect();
    queues.push(queue);
    return queue;
  };
  beforeAll(async () => {
    place = await open();
  }, 120_000);
  afterAll(() => place.close());
  beforeEach(() => {
    queues = [];
  });
  afterEach(async () => {
    for (const queue of queues) await queue.close();
  });
  const until = (what: string, condition: () => boolean) =>
    waitFor(systemClock, what, 10_000, () => (condition() ? true : undefined), 5);

  it('does every job, also those added before it started', async () => {
    const queue = connect();
    const done: Job[] = [];
    await queue.enqueue({ kind: 'sweep' });
    await queue.start(async (job) => void done.push(job));
    for (let id = 1; id <= 50; id += 1) await queue.enqueue(planOf(id));
    await until('51 jobs', () => done.length === 51);
    expect(done).toContainEqual({ kind: 'sweep' });
    expect(new Set(done.map((job) => JSON.stringify(job))).size).toBe(51);
  });

  it('wakes up within milliseconds', async () => {
    const queue = connect();
    const latencies: number[] = [];
    let addedMs = 0;
    await queue.start(async () => void latencies.push(systemClock.monotonicMs() - addedMs));
    for (let id = 0; id < 5; id += 1) {
      await sleep(systemClock, 50);
      addedMs = systemClock.monotonicMs();
      await queue.enqueue(planOf(id));
      await until('the job', () => latencies.length === id + 1);
    }
    expect(Math.min(...latencies)).toBeLessThan(100);
  });

  it('merges equal jobs that wait', async () => {
    const queue = connect();
    const done: Job[] = [];
    for (let time = 0; time < 5; time += 1) await queue.enqueue(planOf(1));
    await queue.enqueue(planOf(2));
    await queue.start(async (job) => void done.push(job));
    await until('two jobs', () => done.length === 2);
    await sleep(systemClock, 100);
    expect(done).toHaveLength(2);
  });

  it('does a job once more that was added while it ran', async () => {
    const queue = connect();
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    await queue.start(async () => {
      runs += 1;
      if (runs === 1) await gate.promise;
    });
    await queue.enqueue(planOf(7));
    await until('the first run', () => runs === 1);
    await queue.enqueue(planOf(7));
    await queue.enqueue(planOf(7));
    await sleep(systemClock, 50);
    expect(runs).toBe(1);
    gate.resolve();
    await until('the second run', () => runs === 2);
    await sleep(systemClock, 100);
    expect(runs).toBe(2);
  });

  it('tries a job again that failed, and gives up in the end', { timeout: 20_000 }, async () => {
    const queue = connect();
    const runs = new Map<string, number>();
    await queue.start(async (job) => {
      const key = job.kind === 'planBatch' ? job.batchId : job.kind;
      const run = (runs.get(key) ?? 0) + 1;
      runs.set(key, run);
      if (key === 'bat_8' && run < 3) throw new Error('not yet');
      if (key === 'bat_9') throw new Error('never');
    });
    await queue.enqueue(planOf(8));
    await queue.enqueue(planOf(9));
    await until(
      'all attempts',
      () => runs.get('bat_8') === 3 && runs.get('bat_9') === JOB_ATTEMPTS,
    );
    await queue.enqueue(planOf(9));
    await until('a new job', () => (runs.get('bat_9') ?? 0) > JOB_ATTEMPTS);
  });

  it('waits for running jobs when it closes', async () => {
    const queue = connect();
    let isDone = false;
    let isRunning = false;
    await queue.start(async () => {
      isRunning = true;
      await sleep(systemClock, 100);
      isDone = true;
    });
    await queue.enqueue({ kind: 'sweep' });
    await until('the job', () => isRunning);
    await queue.close();
    expect(isDone).toBe(true);
  });

  it.runIf(isShared)('shares its jobs with other processes', async () => {
    const [one, two] = [connect(), connect()];
    const done: Job[] = [];
    await two.start(async (job) => void done.push(job));
    await one.enqueue(planOf(3));
    await until('the job', () => done.some((job) => jobKey(job) === jobKey(planOf(3))));
  });
});

import { DeadlineExceededError, silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { JobDispatcher } from './dispatcher.ts';
import type { Job, JobQueue } from './queue.ts';

function dispatcherOn(enqueue: JobQueue['enqueue'], handle: (job: Job) => Promise<void>) {
  const clock = new VirtualClock();
  const queue = { enqueue, start: async () => undefined, close: async () => undefined };
  return { clock, jobs: new JobDispatcher({ queue, clock, logger: silentLogger, handle }) };
}

it('hands jobs to the queue, and nothing else', async () => {
  const queued: Job[] = [];
  const done: Job[] = [];
  const { jobs } = dispatcherOn(
    async (job) => void queued.push(job),
    async (job) => void done.push(job),
  );
  await jobs.dispatch({ kind: 'sweep' });
  expect([queued, done]).toEqual([[{ kind: 'sweep' }], []]);
});

it('does a job here when the queue refuses it or hangs', async () => {
  const done: Job[] = [];
  const handle = async (job: Job): Promise<void> => void done.push(job);
  const refusing = dispatcherOn(() => Promise.reject(new Error('no Redis')), handle);
  await refusing.jobs.dispatch({ kind: 'sweep' });
  expect(done).toHaveLength(1);
  const hanging = dispatcherOn(() => new Promise(() => undefined), handle);
  const dispatched = hanging.jobs.dispatch({ kind: 'planWaiting' });
  await hanging.clock.run(2_001);
  await dispatched;
  expect(done).toHaveLength(2);
  // It is known to be lost: nobody waits for it again so soon.
  await hanging.jobs.dispatch({ kind: 'planWaiting' });
  expect(done).toHaveLength(3);
});

it('leaves to the sweep what fails here too', async () => {
  const fail = () => Promise.reject(new DeadlineExceededError('the database', 1));
  const { jobs } = dispatcherOn(fail, fail);
  await expect(jobs.dispatch({ kind: 'sweep' })).resolves.toBeUndefined();
});

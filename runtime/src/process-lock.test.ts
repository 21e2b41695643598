import { expect, it } from 'vitest';
import { DeadlineExceededError, systemClock } from './clock.ts';
import { withProcessLock } from './process-lock.ts';

const lock = (timeoutMs: number, work: () => Promise<void>) =>
  withProcessLock({ name: `test ${process.pid}`, clock: systemClock, timeoutMs }, work);

it('lets one in at a time, and gives up at the deadline', async () => {
  let inside = 0;
  const visit = async (): Promise<void> => {
    inside += 1;
    expect(inside).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    inside -= 1;
  };
  await Promise.all([lock(5000, visit), lock(5000, visit), lock(5000, visit)]);
  await lock(5000, async () => {
    await expect(lock(50, visit)).rejects.toThrow(DeadlineExceededError);
  });
  await expect(lock(5000, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await lock(5000, visit);
});

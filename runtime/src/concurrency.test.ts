import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLimiter, keyedMutex, singleFlight } from './concurrency.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('createLimiter', () => {
  it('never runs more than its limit, runs all, and keeps the order of starts', async () => {
    const work = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), work, async (max, turns) => {
        const limit = createLimiter(max);
        const started: number[] = [];
        let running = 0;
        const jobs = turns.map((count, index) =>
          limit(async () => {
            started.push(index);
            running += 1;
            expect(running).toBeLessThanOrEqual(max);
            for (let n = 0; n < count; n += 1) await turn();
            running -= 1;
            return index;
          }),
        );
        expect(await Promise.all(jobs)).toEqual(turns.map((_, index) => index));
        expect(started).toEqual(turns.map((_, index) => index));
      }),
      { numRuns: 30 },
    );
  });

  it('frees the slot of work that failed', async () => {
    const limit = createLimiter(1);
    const failed = limit(() => Promise.reject(new Error('no')));
    const next = limit(async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('refuses a limit below 1', () => {
    expect(() => createLimiter(0)).toThrow(RangeError);
  });
});

describe('keyedMutex', () => {
  it('serialises one key and lets others pass', async () => {
    const mutex = keyedMutex();
    const events: string[] = [];
    const job = (name: string, turns: number) => async () => {
      events.push(`${name} begins`);
      for (let n = 0; n < turns; n += 1) await turn();
      events.push(`${name} ends`);
    };
    await Promise.all([
      mutex('a', job('a1', 3)),
      mutex('a', job('a2', 0)),
      mutex('b', job('b1', 0)),
    ]);
    expect(events).toEqual([
      'a1 begins',
      'b1 begins',
      'b1 ends',
      'a1 ends',
      'a2 begins',
      'a2 ends',
    ]);
  });

  it('goes on after a failure', async () => {
    const mutex = keyedMutex();
    await expect(mutex('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await mutex('a', async () => 1)).toBe(1);
  });
});

describe('singleFlight', () => {
  it('loads once for all who ask meanwhile, and again later', async () => {
    const flight = singleFlight<number>();
    let loads = 0;
    const load = async (): Promise<number> => {
      loads += 1;
      await turn();
      return loads;
    };
    const together = [flight('k', load), flight('k', load), flight('other', load)];
    expect(await Promise.all(together)).toEqual([2, 2, 2]);
    expect(await flight('k', load)).toBe(3);
  });

  it('shares the error, and forgets it', async () => {
    const flight = singleFlight<number>();
    const failing = (): Promise<number> => Promise.reject(new Error('no'));
    const results = await Promise.allSettled([flight('k', failing), flight('k', failing)]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(await flight('k', async () => 5)).toBe(5);
  });
});

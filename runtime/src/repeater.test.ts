import { describe, expect, it } from 'vitest';
import { createRepeater } from './repeater.ts';
import { VirtualClock } from './simulated/virtual-clock.ts';

function setUp(work: (times: number) => Promise<void>) {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const seen = { times: 0 };
  const repeater = createRepeater({
    ...{ clock, intervalMs: 1_000, onError: (error) => errors.push(error) },
    work: () => {
      seen.times += 1;
      return work(seen.times);
    },
  });
  return { clock, errors, repeater, seen };
}

describe('work that is repeated', () => {
  it('is done after each interval, until it is closed', async () => {
    const { clock, repeater, seen } = setUp(async () => undefined);
    repeater.start();
    await clock.run(999);
    expect(seen.times).toBe(0);
    await clock.run(2_001);
    expect(seen.times).toBe(3);
    repeater.close();
    await clock.run(10_000);
    expect(seen.times).toBe(3);
  });

  it('is done again although it failed, and its failure is told', async () => {
    const { clock, errors, repeater, seen } = setUp(async (times) => {
      if (times === 1) throw new Error('once');
    });
    repeater.start();
    await clock.run(2_000);
    repeater.close();
    expect([seen.times, errors.map(String)]).toEqual([2, ['Error: once']]);
  });

  it('is never done beside itself, and not begun again by what ends after the close', async () => {
    const hanging = Promise.withResolvers<void>();
    const { clock, repeater, seen } = setUp(() => hanging.promise);
    repeater.start();
    await clock.run(5_000);
    expect(seen.times).toBe(1);
    repeater.close();
    hanging.resolve();
    await clock.run(5_000);
    expect(seen.times).toBe(1);
  });
});

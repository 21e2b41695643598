import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineExceededError, sleep } from '../clock.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('VirtualClock', () => {
  it('runs timers by time, equal ones by order of creation, whatever was cancelled', async () => {
    const timers = fc.array(
      fc.record({ delayMs: fc.integer({ min: 0, max: 20 }), cancelled: fc.boolean() }),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(timers, async (specs) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        specs.forEach((spec, index) => {
          const timer = clock.after(spec.delayMs, () => {
            expect(clock.monotonicMs()).toBe(spec.delayMs);
            fired.push(index);
          });
          if (spec.cancelled) timer.cancel();
        });
        await clock.run(20);
        const expected = specs
          .map((spec, index) => ({ ...spec, index }))
          .filter((spec) => !spec.cancelled)
          .toSorted((a, b) => a.delayMs - b.delayMs || a.index - b.index)
          .map((spec) => spec.index);
        expect(fired).toEqual(expected);
        expect(clock.monotonicMs()).toBe(20);
      }),
      { numRuns: 50 },
    );
  });

  it('lets promises, ticks and immediates settle between two timers', async () => {
    const clock = new VirtualClock();
    const events: string[] = [];
    const chain = async (): Promise<void> => {
      await new Promise((resolve) => process.nextTick(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`chain at ${clock.monotonicMs()}`);
      clock.after(1, () => events.push(`child at ${clock.monotonicMs()}`));
    };
    clock.after(10, () => void chain());
    clock.after(11, () => events.push('second timer'));
    await clock.run(100);
    expect(events).toEqual(['chain at 10', 'second timer', 'child at 11']);
  });

  it('passes hours at once', async () => {
    const clock = new VirtualClock();
    const startMs = clock.nowMs();
    let beats = 0;
    const beat = (): void => {
      beats += 1;
      clock.after(60_000, beat);
    };
    beat();
    await clock.run(6 * 3_600_000);
    expect(beats).toBe(361);
    expect(clock.nowMs() - startMs).toBe(6 * 3_600_000);
  });

  it('runs until a condition holds, and not longer', async () => {
    const clock = new VirtualClock();
    let done = false;
    void sleep(clock, 500).then(() => {
      done = true;
    });
    await clock.runUntil(() => done, 1000);
    expect(clock.monotonicMs()).toBe(500);
    const failure = clock.runUntil(() => false, 1000, 'the moon');
    await expect(failure).rejects.toThrow(DeadlineExceededError);
    expect(clock.monotonicMs()).toBe(1500);
  });

  it('gives the error of a callback to whoever runs it', async () => {
    const clock = new VirtualClock();
    clock.after(1, () => {
      throw new Error('broken');
    });
    await expect(clock.run(5)).rejects.toThrow('broken');
    await clock.run(5);
  });

  it('waits for real work that holds it', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.after(1, () => {
      const work = new Promise((resolve) => setTimeout(resolve, 30));
      void clock.holdFor(work).then(() => order.push('work'));
    });
    clock.after(2, () => order.push('next timer'));
    await clock.run(5);
    expect(order).toEqual(['work', 'next timer']);
  });

  it('refuses to be run twice at once, and delays that are no numbers', async () => {
    const clock = new VirtualClock();
    const first = clock.run(5);
    await expect(clock.run(5)).rejects.toThrow('running already');
    await first;
    expect(() => clock.after(Number.NaN, () => undefined)).toThrow(RangeError);
  });
});

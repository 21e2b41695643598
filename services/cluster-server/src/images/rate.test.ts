import { VirtualClock } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRate } from './rate.ts';

const never = new AbortController().signal;

/** Milliseconds until all parts have passed, one after the other in each lane. */
async function passAll(bytesPerSecond: number | undefined, lanes: readonly (readonly number[])[]) {
  const clock = new VirtualClock();
  const rate = createRate(clock);
  rate.set(bytesPerSecond);
  const startMs = clock.monotonicMs();
  let open = lanes.length;
  const run = async (parts: readonly number[]): Promise<void> => {
    for (const bytes of parts) await rate.pass(bytes, never);
    open -= 1;
    clock.noteActivity();
  };
  const all = Promise.all(lanes.map(run));
  await clock.runUntil(() => open === 0, 1e9);
  await all;
  return clock.monotonicMs() - startMs;
}

describe('the rate of images', () => {
  it('holds for all lanes together, whatever the parts', async () => {
    const parts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { minLength: 1, maxLength: 3 }), async (lanes) => {
        const bytes = lanes.flat().reduce((sum, each) => sum + each, 0);
        const tookMs = await passAll(1_000, lanes);
        expect(tookMs).toBeGreaterThanOrEqual(bytes - 1);
        expect(tookMs).toBeLessThan(bytes + 100);
      }),
      { numRuns: 30 },
    );
  });

  it('is none until somebody says one', async () => {
    expect(await passAll(undefined, [[5_000, 5_000]])).toBeLessThan(100);
  });
});

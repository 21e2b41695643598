import { createLimiter, sleep } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import type { ProbeResult } from './check-definition.ts';
import { type CheckLoop, type Prober, startCheckLoop } from './check-loop.ts';

const SCHEDULE = { delayMs: 1000, intervalMs: 500, timeoutMs: 200 };
const PROBE = { kind: 'tcp', port: 80, protocol: 'IPv4' } as const;
const FINE: ProbeResult = { kind: 'connected', succeeded: true };

function start(clock: VirtualClock, prober: Prober, limiter = createLimiter(8)) {
  const results: { readonly atMs: number; readonly result: ProbeResult }[] = [];
  const loop: CheckLoop = startCheckLoop({
    ...{ clock, probe: PROBE, schedule: SCHEDULE, prober, limiter },
    onResult: (result) => results.push({ atMs: clock.monotonicMs(), result }),
  });
  return { loop, results };
}

describe('a check', () => {
  it('looks after its delay, and an interval after each look has ended', async () => {
    const clock = new VirtualClock();
    const startMs = clock.monotonicMs();
    const { results, loop } = start(clock, async () => {
      await sleep(clock, 100);
      return FINE;
    });
    await clock.run(2500);
    expect(results.map(({ atMs }) => atMs - startMs)).toEqual([1100, 1700, 2300]);
    loop.stop();
    await clock.run(5000);
    expect(results).toHaveLength(3);
  });

  it('fails when a look takes too long, and tells the look so', async () => {
    const clock = new VirtualClock();
    let aborted = 0;
    const { results, loop } = start(clock, (_probe, signal) => {
      signal.addEventListener('abort', () => {
        aborted += 1;
      });
      return new Promise(() => undefined);
    });
    await clock.run(1300);
    expect(results.map(({ result }) => result)).toEqual([
      { kind: 'failed', why: 'timed out after 200 ms' },
    ]);
    expect(aborted).toBe(1);
    loop.stop();
  });

  it('fails when a look goes wrong', async () => {
    const clock = new VirtualClock();
    const { results, loop } = start(clock, () => Promise.reject(new Error('no such file')));
    await clock.run(1100);
    expect(results[0]?.result).toEqual({ kind: 'failed', why: 'no such file' });
    loop.stop();
  });

  it('waits for its turn, so that many checks make no storm', async () => {
    const clock = new VirtualClock();
    const limiter = createLimiter(3);
    let running = 0;
    let most = 0;
    const prober: Prober = async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(clock, 50);
      running -= 1;
      return FINE;
    };
    const checks = Array.from({ length: 30 }, () => start(clock, prober, limiter));
    await clock.run(1600);
    expect(most).toBe(3);
    for (const { results, loop } of checks) {
      expect(results.length).toBeGreaterThanOrEqual(1);
      loop.stop();
    }
  });
});

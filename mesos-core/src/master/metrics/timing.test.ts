import { describe, expect, it } from 'vitest';
import { Timing } from './timing.ts';

describe('a timing', () => {
  it('says nothing before the first time', () => {
    expect(new Timing().figures('t')).toEqual({});
  });

  it('tells the last, the extremes and the percentiles, as Mesos does', () => {
    const timing = new Timing();
    for (const durationMs of [0.14208, 0.060928, 0.10112, 0.105, 0.086016]) timing.note(durationMs);
    expect(timing.figures('t')).toMatchObject({
      ...{ t: 0.086016, 't/count': 5, 't/max': 0.14208, 't/min': 0.060928, 't/p50': 0.10112 },
    });
    expect(timing.figures('t')['t/p90']).toBeCloseTo(0.127248, 6);
  });

  it('remembers the latest thousand only, and counts all', () => {
    const timing = new Timing();
    timing.note(1e6);
    for (let count = 0; count < 1000; count += 1) timing.note(1);
    expect(timing.figures('t')).toMatchObject({ 't/count': 1001, 't/max': 1 });
  });
});

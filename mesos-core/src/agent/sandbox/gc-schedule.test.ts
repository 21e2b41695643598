import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueSandboxes, maxAgeMs } from './gc-schedule.ts';

const WEEK_MS = 7 * 86_400_000;
const POLICY = { delayMs: WEEK_MS, diskHeadroom: 0.1 };
const SHARE = fc.double({ min: 0, max: 1, noNaN: true });

describe('the removal of sandboxes', () => {
  it('leaves them less time the fuller the disk is, and none in the headroom', () => {
    expect(maxAgeMs(POLICY, 0)).toBeCloseTo(WEEK_MS * 0.9);
    expect(maxAgeMs(POLICY, 0.5)).toBeCloseTo(WEEK_MS * 0.4);
    expect(maxAgeMs(POLICY, 0.9)).toBeCloseTo(0);
    expect(maxAgeMs(POLICY, 1)).toBe(0);
  });

  it('takes the oldest first', () => {
    const retired = [3, 1, 2].map((day) => ({ directory: `${day}`, sinceMs: day * 86_400_000 }));
    const due = dueSandboxes(retired, POLICY, 0.9, 4 * 86_400_000);
    expect(due.map(({ directory }) => directory)).toEqual(['1', '2', '3']);
  });

  it('never takes one that is younger than one it leaves, and takes no less on a fuller disk', () => {
    const ages = fc.array(fc.nat(2 * WEEK_MS));
    fc.assert(
      fc.property(ages, SHARE, SHARE, (sinces, usage, more) => {
        const retired = sinces.map((sinceMs, index) => ({ directory: `${index}`, sinceMs }));
        const due = dueSandboxes(retired, POLICY, usage, 2 * WEEK_MS);
        const left = retired.filter((each) => !due.includes(each));
        for (const { sinceMs } of left) {
          expect(due.every((each) => each.sinceMs <= sinceMs)).toBe(true);
        }
        const fuller = dueSandboxes(retired, POLICY, Math.min(1, usage + more), 2 * WEEK_MS);
        expect(fuller.length).toBeGreaterThanOrEqual(due.length);
      }),
    );
  });
});

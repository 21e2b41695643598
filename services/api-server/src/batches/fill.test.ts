import type { BatchFill } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideFill, type FillCounts } from './fill.ts';

const DEADLINE_MS = 1_000;
const counts = fc
  .tuple(fc.nat(50), fc.nat(50), fc.nat(50))
  .map(([placed, waiting, failed]) => ({ asked: placed + waiting + failed, placed, waiting }));
const policy: fc.Arbitrary<BatchFill> = fc.oneof(
  fc.constantFrom('all' as const, 'bestEffort' as const),
  fc.record({ atLeast: fc.integer({ min: 1, max: 100 }) }),
);
const now = fc.nat(2 * DEADLINE_MS);

function decide(fill: BatchFill, standing: FillCounts, nowMs: number, deadline = true) {
  return decideFill({ fill, deadlineAtMs: deadline ? DEADLINE_MS : null }, standing, nowMs).kind;
}

describe('a fill policy', () => {
  it('waits for what may still come until the deadline, and not a moment longer', () => {
    fc.assert(
      fc.property(policy, counts, now, (fill, standing, nowMs) => {
        const isOver = standing.waiting === 0 || nowMs >= DEADLINE_MS;
        expect(decide(fill, standing, nowMs) !== 'wait').toBe(isOver);
      }),
    );
  });

  it('releases all exactly when too little is placed in the end', () => {
    fc.assert(
      fc.property(policy, counts, (fill, standing) => {
        const { asked, placed } = standing;
        const needed =
          fill === 'all' ? asked : fill === 'bestEffort' ? 0 : Math.min(asked, fill.atLeast);
        const isReleased = decide(fill, standing, DEADLINE_MS) === 'release';
        expect(isReleased).toBe(placed < needed);
      }),
    );
  });

  it('never gives a batch up for which any number will do', () => {
    fc.assert(
      fc.property(counts, now, (standing, nowMs) => {
        expect(decide('bestEffort', standing, nowMs)).not.toBe('release');
      }),
    );
  });

  it('stays as it was decided when what was decided is done', () => {
    fc.assert(
      fc.property(policy, counts, (fill, standing) => {
        const before = decide(fill, standing, DEADLINE_MS);
        // What waited has failed, or all of it is gone.
        const after = decide(fill, { ...standing, waiting: 0 }, DEADLINE_MS + 1);
        expect(after).toBe(before === 'take' ? 'filled' : before);
      }),
    );
  });

  it('without a deadline waits as long as machines wait', () => {
    const some = { asked: 3, placed: 1, waiting: 2 };
    expect(decide('all', some, 10 * DEADLINE_MS, false)).toBe('wait');
    expect(decide('all', { ...some, waiting: 0 }, 0, false)).toBe('release');
  });
});

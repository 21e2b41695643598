import type { BatchId, ProjectId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { averageUsage, orderOfRound, USAGE_HALF_LIFE_MS, type WaitingBatch } from './fair-share.ts';

function waiting(index: number, more: Partial<WaitingBatch> = {}): WaitingBatch {
  return {
    id: `bat_${index}` as BatchId,
    projectId: `prj_${index}` as ProjectId,
    ...{ priority: 0, preemptible: false, createdAtMs: index, plannedAtMs: 0, weight: 1 },
    ...{ usedVcpus: 0, heldVcpus: 0 },
    ...more,
  };
}

const idsOf = (batches: readonly WaitingBatch[]) => orderOfRound(batches).map((each) => each.id);

describe('the order of waiting batches', () => {
  it('is by priority, then by what projects have for their weight, then by age', () => {
    const batches = [
      waiting(1, { usedVcpus: 100, weight: 4 }),
      waiting(2, { heldVcpus: 50 }),
      waiting(3, { usedVcpus: 500, priority: 1 }),
      waiting(4, { usedVcpus: 25 }),
    ];
    expect(idsOf(batches)).toEqual(['bat_3', 'bat_1', 'bat_4', 'bat_2']);
  });

  it('lets projects of equal weight take turns, whoever asks for more', () => {
    // Each turn the first one gets one vCPU: after many the shares differ by one at most.
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 6 }),
        (ws) => {
          let batches = ws.map((weight, index) => waiting(index, { weight }));
          for (let turn = 0; turn < 200; turn += 1) {
            const [first] = orderOfRound(batches);
            batches = batches.map((each) =>
              each.id === first?.id ? { ...each, heldVcpus: each.heldVcpus + 1 } : each,
            );
          }
          const shares = batches.map((each) => each.heldVcpus / each.weight);
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('does not depend on the order in which they are given', () => {
    const one = fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      usedVcpus: fc.nat(3),
      heldVcpus: fc.nat(3),
      weight: fc.integer({ min: 1, max: 3 }),
      createdAtMs: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), (all) => {
        const batches = all.map((each, index) => waiting(index, each));
        expect(idsOf(batches.toReversed())).toEqual(idsOf(batches));
      }),
    );
  });
});

describe('the usage of a project', () => {
  it('follows what it holds, halfway in a half-life', () => {
    const nothing = { usedVcpus: 0, countedAtMs: 0 };
    expect(averageUsage(nothing, 100, USAGE_HALF_LIFE_MS)).toBeCloseTo(50);
    expect(averageUsage({ usedVcpus: 80, countedAtMs: 0 }, 0, USAGE_HALF_LIFE_MS)).toBeCloseTo(40);
    expect(averageUsage({ usedVcpus: 7, countedAtMs: 5 }, 7, 5_000_000)).toBeCloseTo(7);
  });

  it('is the same however often it is counted', () => {
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.nat(1_000),
        fc.nat(10_000_000),
        fc.nat(100),
        (used, held, ms, part) => {
          const before = { usedVcpus: used, countedAtMs: 0 };
          const middleMs = Math.floor((ms * part) / 100);
          const halfway = {
            usedVcpus: averageUsage(before, held, middleMs),
            countedAtMs: middleMs,
          };
          expect(averageUsage(halfway, held, ms)).toBeCloseTo(averageUsage(before, held, ms), 4);
        },
      ),
    );
  });
});

import { VM_STATES } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StateTally } from '../batches/store.ts';
import { readTallies } from './reading.ts';

const clusters = ['clu_1', 'clu_2'] as const;
const tallies = fc.array(
  fc.record({
    state: fc.constantFrom(...VM_STATES),
    clusterId: fc.constantFrom(null, ...clusters),
    count: fc.nat(1000),
    readyCount: fc.constant(0),
  }),
) as unknown as fc.Arbitrary<readonly StateTally[]>;
const total = (all: readonly StateTally[]) => all.reduce((sum, { count }) => sum + count, 0);

describe('counts of machines while clusters are silent', () => {
  it('lose and double none, and name each state once', () => {
    fc.assert(
      fc.property(tallies, fc.subarray([...clusters]), (all, silent) => {
        const read = readTallies(all, new Map(silent.map((id) => [id as never, 1])));
        expect(total(read)).toBe(total(all));
        expect(new Set(read.map(({ state }) => state)).size).toBe(read.length);
      }),
    );
  });
});

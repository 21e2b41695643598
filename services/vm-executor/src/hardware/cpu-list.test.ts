import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCpuList, parseCpuList } from './cpu-list.ts';

describe('a list of CPUs', () => {
  it('is read and written as Linux does', () => {
    expect(parseCpuList('0-3,8\n')).toEqual([0, 1, 2, 3, 8]);
    expect(parseCpuList('\n')).toEqual([]);
    expect(formatCpuList([8, 2, 3, 0, 1])).toBe('0-3,8');
  });

  it('is the same after both', () => {
    const cpus = fc.uniqueArray(fc.integer({ min: 0, max: 200 }));
    fc.assert(
      fc.property(cpus, (some) => {
        const sorted = some.toSorted((a, b) => a - b);
        expect(parseCpuList(formatCpuList(some))).toEqual(sorted);
      }),
    );
  });
});

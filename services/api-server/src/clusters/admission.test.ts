import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coresUnderCaps, describeCaps, machinesUnderCaps, withGiven } from './admission.ts';

const amount = fc.nat(10_000);
const caps = fc.record({ vms: amount, vcpus: amount, memoryMiB: amount }, { requiredKeys: [] });
const given = fc.record({ vms: amount, vcpus: amount, memoryMiB: amount });
const shape = fc.record({
  vcpus: fc.integer({ min: 1, max: 64 }),
  memoryMiB: fc.integer({ min: 64, max: 8192 }),
});

describe('the caps of a cluster', () => {
  it('are never passed by what they allow, and allow nothing more then', () => {
    fc.assert(
      fc.property(caps, given, shape, (bounds, before, each) => {
        const admission = { caps: bounds, given: before };
        const count = machinesUnderCaps(admission, each);
        if (!Number.isFinite(count)) return;
        expect(count).toBeGreaterThanOrEqual(0);
        const more = { vms: count, vcpus: count * each.vcpus, memoryMiB: count * each.memoryMiB };
        const after = withGiven(admission, more);
        for (const name of ['vms', 'vcpus', 'memoryMiB'] as const) {
          const most = Math.max(bounds[name] ?? Number.POSITIVE_INFINITY, before[name]);
          expect(after.given[name]).toBeLessThanOrEqual(most);
        }
        expect(machinesUnderCaps(after, each)).toBe(0);
      }),
    );
  });

  it('bound nothing when there are none, and are told with what is given', () => {
    const each = { vcpus: 2, memoryMiB: 1024 };
    expect(machinesUnderCaps(undefined, each)).toBe(Number.POSITIVE_INFINITY);
    const admission = { caps: { vcpus: 10 }, given: { vms: 3, vcpus: 7, memoryMiB: 1 } };
    expect(coresUnderCaps(admission, [each, { vcpus: 3, memoryMiB: 64 }])).toBe(3);
    expect(describeCaps(admission)).toBe(', its caps are 10 vcpus (7 given)');
  });
});

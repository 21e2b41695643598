import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { type CountersSeen, samplesBetween, type VmCounters } from './rates.ts';

const count = fc.integer({ min: 0, max: 2 ** 50 });
const counters = (number: number): fc.Arbitrary<VmCounters> =>
  fc.record({
    vmId: fc.constant(testVmId(number)),
    cpuTimeNs: count,
    memoryMiB: fc.integer({ min: 64, max: 1 << 20 }),
    residentMiB: fc.integer({ min: 0, max: 1 << 20 }),
    diskReadBytes: count,
    diskWriteBytes: count,
    diskReads: count,
    diskWrites: count,
    netReceivedBytes: count,
    netSentBytes: count,
    netReceivedPackets: count,
    netSentPackets: count,
  });
const COUNTED = ['diskReadBytes', 'netSentPackets', 'netReceivedBytes', 'diskWrites'] as const;

const at = (monotonicMs: number, ...vms: readonly VmCounters[]): CountersSeen => ({
  ...{ monotonicMs, nowMs: 1_700_000_000_000 + monotonicMs, vms },
});
/** As `before`, with all that is counted larger by `by`. */
const later = (before: VmCounters, by: VmCounters): VmCounters => {
  const sums = Object.entries(before).map(([name, value]) => {
    const more: unknown = Reflect.get(by, name);
    return [name, typeof value === 'number' ? value + Number(more) : value];
  });
  return { ...before, ...Object.fromEntries(sums) };
};

describe('what guests used between two looks', () => {
  it('is what their counters grew by, over the time between', () => {
    fc.assert(
      fc.property(
        counters(1),
        counters(1),
        fc.integer({ min: 1, max: 600_000 }),
        (then, by, ms) => {
          const now = later(then, by);
          const [sample] = samplesBetween(at(5_000, then), at(5_000 + ms, now));
          expect(sample).toMatchObject({
            vmId: then.vmId,
            atMs: 1_700_000_005_000 + ms,
            memoryMiB: now.memoryMiB,
          });
          const usedMs = ((sample?.cpuPercent ?? 0) / 100) * ms;
          expect(usedMs).toBeCloseTo((now.cpuTimeNs - then.cpuTimeNs) / 1e6, -1);
          for (const name of COUNTED) {
            const total = ((sample?.[name] ?? 0) * ms) / 1_000;
            const grown = now[name] - then[name];
            expect(Math.abs(total - grown)).toBeLessThanOrEqual(grown * 1e-9 + 1e-6);
          }
        },
      ),
    );
  });

  it('is never negative and never without bounds, whatever the counters say', () => {
    const time = fc.integer({ min: -10_000, max: 10_000 });
    fc.assert(
      fc.property(counters(1), counters(1), time, (then, now, ms) => {
        for (const sample of samplesBetween(at(0, then), at(ms, now))) {
          const numbers = Object.values(sample).filter((value) => typeof value === 'number');
          expect(numbers.every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
        }
      }),
    );
  });

  it('is not told of a guest that was powered on anew, and is again after the next look', () => {
    fc.assert(
      fc.property(counters(1), counters(1), counters(1), (then, fresh, by) => {
        const before = later(then, { ...by, diskReads: 1 });
        const anew = { ...fresh, diskReads: before.diskReads - 1 };
        expect(samplesBetween(at(0, before), at(1_000, anew))).toEqual([]);
        expect(samplesBetween(at(1_000, anew), at(2_000, later(anew, by)))).toHaveLength(1);
      }),
    );
  });

  it('is of those alone that were seen twice, and of no time at all nothing', () => {
    fc.assert(
      fc.property(counters(1), counters(2), counters(3), (one, two, three) => {
        const samples = samplesBetween(at(0, one, two), at(10, two, three));
        expect(samples.map(({ vmId }) => vmId)).toEqual([two.vmId]);
        expect(samplesBetween(at(10, two), at(10, two))).toEqual([]);
      }),
    );
  });
});

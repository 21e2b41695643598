import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { decideLease, epochOf, type FoundLease, leaseName, parseLease } from './lease.ts';

const wanted = { epoch: 5, holder: 'host-1', vmId: testVmId(1) };
const found = (epoch: number, change: Partial<FoundLease> = {}, vm = 2): FoundLease => ({
  epoch,
  lease: { epoch, holder: 'host-2', vmId: testVmId(vm), renewedAtMs: 0 },
  isDead: false,
  ...change,
});

describe('the lease of a disk', () => {
  it('is free where there is none', () => {
    expect(decideLease([], wanted)).toEqual({ kind: 'create', outdated: [] });
  });

  it('is not taken from one who may still have the disk open', () => {
    expect(decideLease([found(4)], wanted)).toMatchObject({ kind: 'wait', for: { epoch: 4 } });
  });

  it('is taken after one who has stood still for too long', () => {
    const dead = found(4, { isDead: true });
    expect(decideLease([dead], wanted)).toEqual({ kind: 'create', outdated: [4] });
  });

  it('is not taken when a newer one was given, dead or not', () => {
    for (const isDead of [true, false]) {
      expect(decideLease([found(6, { isDead })], wanted)).toMatchObject({ kind: 'overtaken' });
    }
  });

  it('stays with the VM that has it, on the same host at once and on another when that is dead', () => {
    const own = found(5, { lease: { ...wanted, renewedAtMs: 0 } });
    expect(decideLease([own], wanted)).toMatchObject({ kind: 'renew' });
    expect(decideLease([found(5, {}, 1)], wanted)).toMatchObject({ kind: 'wait' });
    expect(decideLease([found(5, { isDead: true }, 1)], wanted)).toMatchObject({ kind: 'renew' });
  });

  it('that was not written to its end counts as live until it has stood still', () => {
    const torn = found(5, { lease: undefined });
    expect(decideLease([torn], wanted)).toMatchObject({ kind: 'wait' });
    expect(decideLease([{ ...torn, isDead: true }], wanted)).toMatchObject({ kind: 'renew' });
  });

  it('is never had beside a live one of somebody else, nor below a newer one', () => {
    const leases = fc.array(
      fc.record({
        epoch: fc.integer({ min: 1, max: 9 }),
        isDead: fc.boolean(),
        vm: fc.constantFrom(1, 2, 3),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(leases, (each) => {
        const all = each.map(({ epoch, isDead, vm }) => found(epoch, { isDead }, vm));
        const { kind } = decideLease(all, wanted);
        const isBarred = all.some(({ epoch, isDead }) => epoch > wanted.epoch || !isDead);
        if (isBarred) expect(['wait', 'overtaken']).toContain(kind);
      }),
    );
  });

  it('has a file by its number', () => {
    expect(epochOf(leaseName(17))).toBe(17);
    expect(epochOf('disk.raw')).toBeUndefined();
    expect(parseLease('{"epoch":')).toBeUndefined();
    expect(parseLease('{}')).toBeUndefined();
  });
});

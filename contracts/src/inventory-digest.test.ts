import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VmId } from './ids.ts';
import { DigestKeeper } from './inventory-digest.ts';

const vmIdOf = (number: number): VmId => `vm_${number.toString(16).padStart(32, '0')}` as VmId;
const change = fc.record({
  vm: fc.integer({ min: 0, max: 5 }),
  seq: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
});

describe('the digest of an inventory', () => {
  it('says the same of the same VMs, whatever happened before, and differs otherwise', () => {
    fc.assert(
      fc.property(fc.array(change), fc.array(change), (changes, others) => {
        const [one, other] = [keeperOf(changes), keeperOf(others)];
        const isSame = JSON.stringify(one.content) === JSON.stringify(other.content);
        expect(one.keeper.isSame(other.keeper.digest())).toBe(isSame);
        expect(one.keeper.size).toBe(one.content.length);
      }),
    );
  });

  it('forgets what is not there any more', () => {
    const keeper = new DigestKeeper();
    const empty = keeper.digest();
    for (const number of [1, 2, 3]) keeper.set(vmIdOf(number), 7);
    keeper.keepOnly((vmId) => vmId === vmIdOf(2));
    expect(keeper.digest().count).toBe(1);
    keeper.delete(vmIdOf(2));
    expect(keeper.digest()).toEqual(empty);
    expect(empty.sum).toMatch(/^0{32}$/);
  });
});

function keeperOf(changes: readonly { readonly vm: number; readonly seq: number | undefined }[]) {
  const keeper = new DigestKeeper();
  const content = new Map<number, number>();
  for (const { vm, seq } of changes) {
    if (seq === undefined) {
      keeper.delete(vmIdOf(vm));
      content.delete(vm);
    } else {
      keeper.set(vmIdOf(vm), seq);
      content.set(vm, seq);
    }
  }
  return { keeper, content: [...content].sort(([a], [b]) => a - b) };
}

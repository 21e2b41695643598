import { seededRandom } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSorter, type Sorter } from './sorter.ts';

interface Entry {
  readonly key: string;
  weight: number;
  share: number;
  lastGiven: number;
}

function entry(key: string, share = 0, lastGiven = 0, weight = 1): Entry {
  return { key, share, lastGiven, weight };
}

function order(sorter: Sorter<Entry>): readonly string[] {
  const keys: string[] = [];
  sorter.begin();
  for (let position = 0; ; position += 1) {
    const next = sorter.at(position);
    if (next === undefined) return keys;
    keys.push(next.key);
  }
}

const random = seededRandom('sorter');

describe('the DRF sorter', () => {
  it('puts the smallest share first, then who has waited longest, then by name', () => {
    const sorter = createSorter<Entry>('drf', random);
    for (const each of [entry('d', 0.5), entry('c', 0, 2), entry('b', 0, 1), entry('a', 0, 1)])
      sorter.add(each);
    expect(order(sorter)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps its order whatever changes, few or many', () => {
    const changes = fc.array(
      fc.array(fc.record({ index: fc.nat(59), share: fc.nat(5), isThere: fc.boolean() }), {
        maxLength: 40,
      }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(changes, (rounds) => {
        const sorter = createSorter<Entry>('drf', random);
        const entries = Array.from({ length: 60 }, (_, index) =>
          entry(String(index).padStart(2, '0')),
        );
        const there = new Set(entries);
        for (const each of entries) sorter.add(each);
        for (const round of rounds) {
          for (const { index, share, isThere } of round) {
            const each = entries[index];
            if (each === undefined) continue;
            each.share = share;
            sorter.noteChange(each);
            if (isThere === there.has(each)) continue;
            if (isThere) sorter.add(each);
            else sorter.remove(each);
            if (isThere) there.add(each);
            else there.delete(each);
          }
          const expected = [...there].toSorted(
            (a, b) => a.share - b.share || (a.key < b.key ? -1 : 1),
          );
          expect(order(sorter)).toEqual(expected.map(({ key }) => key));
        }
      }),
    );
  });
});

describe('the random sorter', () => {
  it('gives everybody once, in orders whose first are as likely as their weights say', () => {
    const sorter = createSorter<Entry>('random', random);
    const entries = [entry('a', 0, 0, 1), entry('b', 0, 0, 3), entry('gone')];
    for (const each of entries) sorter.add(each);
    const gone = entries[2];
    if (gone !== undefined) sorter.remove(gone);
    const orders = Array.from({ length: 2000 }, () => order(sorter));
    for (const each of orders) expect(each.toSorted()).toEqual(['a', 'b']);
    const first = orders.filter(([key]) => key === 'b').length;
    expect(first).toBeGreaterThan(1400);
    expect(first).toBeLessThan(1600);
  });
});

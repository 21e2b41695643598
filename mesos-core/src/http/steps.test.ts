import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstInOrder, inSteps } from './steps.ts';

interface Item {
  readonly key: number;
  readonly place: number;
}

const byKey = (a: Item, b: Item): number => a.key - b.key;

/** What a generator gives at last, and how often it let others have a turn. */
function run<T>(work: Generator<undefined, T>): { readonly result: T; readonly turns: number } {
  let turns = 0;
  for (;;) {
    const next = work.next();
    if (next.done === true) return { result: next.value, turns };
    turns += 1;
  }
}

describe('work in steps', () => {
  it('gives all elements of all lists, and turns in between', () => {
    const lists = Array.from({ length: 30 }, (_, list) =>
      Array.from({ length: 10 }, (_, place) => ({ key: list, place })),
    );
    const given = [...inSteps(lists, 7)];
    expect(given.filter((each) => each !== undefined)).toEqual(lists.flat());
    expect(given.filter((each) => each === undefined)).toHaveLength(Math.floor(300 / 7));
  });

  it('sorts as a sort does, however many there are, and gives as many as are wanted', () => {
    const keys = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20_000, size: 'max' });
    fc.assert(
      fc.property(keys, fc.integer({ min: 0, max: 30_000 }), (all, max) => {
        const items = all.map((key, place) => ({ key, place }));
        const { result } = run(firstInOrder(inSteps([items]), byKey, max));
        expect(result).toEqual(items.toSorted(byKey).slice(0, max));
      }),
      { numRuns: 20 },
    );
  });

  it('lets others have a turn after so much of sorting, whatever is wanted of it', () => {
    const items = Array.from({ length: 100_000 }, (_, place) => ({ key: -place, place }));
    let [most, sinceTurn] = [0, 0];
    const counted = (a: Item, b: Item): number => {
      sinceTurn += 1;
      most = Math.max(most, sinceTurn);
      return byKey(a, b);
    };
    const sorting = firstInOrder(inSteps([items]), counted, Number.MAX_SAFE_INTEGER);
    let next = sorting.next();
    for (; next.done !== true; next = sorting.next()) sinceTurn = 0;
    expect(next.value).toHaveLength(100_000);
    expect(next.value[0]).toEqual({ key: -99_999, place: 99_999 });
    expect(most).toBeLessThan(50_000);
  });
});

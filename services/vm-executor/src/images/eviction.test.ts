import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evictionsFor } from './eviction.ts';

const images = fc.uniqueArray(
  fc.record({
    version: fc.uuid(),
    sizeBytes: fc.integer({ min: 0, max: 100 }),
    lastUsedMs: fc.integer({ min: 0, max: 1000 }),
  }),
  { selector: ({ version }) => version, maxLength: 12 },
);
const sum = (list: readonly { readonly sizeBytes: number }[]): number =>
  list.reduce((total, { sizeBytes }) => total + sizeBytes, 0);

describe('making room among images', () => {
  it('frees enough or nothing, and no more images than it must', () => {
    fc.assert(
      fc.property(images, fc.integer({ min: 1, max: 600 }), (free, neededBytes) => {
        const evicted = evictionsFor(free, neededBytes);
        if (evicted === undefined) return sum(free) < neededBytes;
        return sum(evicted) >= neededBytes && sum(evicted.slice(0, -1)) < neededBytes;
      }),
    );
  });

  it('never takes one that was used later than one that stays', () => {
    fc.assert(
      fc.property(images, fc.integer({ min: 1, max: 600 }), (free, neededBytes) => {
        const evicted = evictionsFor(free, neededBytes) ?? [];
        const stays = free.filter((image) => !evicted.includes(image));
        const latest = Math.max(...evicted.map(({ lastUsedMs }) => lastUsedMs), 0);
        return stays.every(({ lastUsedMs }) => lastUsedMs >= latest);
      }),
    );
  });

  it('takes nothing when nothing is free', () => {
    expect(evictionsFor([], 1)).toBeUndefined();
  });
});

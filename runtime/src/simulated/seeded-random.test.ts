import { describe, expect, it } from 'vitest';
import { createIdGenerator } from '../random.ts';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

const take = (seed: number | string, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

describe('seededRandom', () => {
  it('repeats for one seed, differs for near ones', () => {
    expect(take(1, 50)).toEqual(take('1', 50));
    const all = new Set([1, 2, 3, '1/network', '2/network'].flatMap((seed) => take(seed, 50)));
    expect(all.size).toBe(250);
  });

  it('is uniform in [0, 1): mean, variance, and 100 equal boxes by chi-square', () => {
    const count = 100_000;
    const numbers = take('uniform', count);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    const mean = numbers.reduce((sum, number) => sum + number, 0) / count;
    expect(mean).toBeCloseTo(0.5, 2);
    const variance = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / count;
    expect(variance).toBeCloseTo(1 / 12, 2);
    const boxes = Array<number>(100).fill(0);
    for (const number of numbers) {
      const box = Math.floor(number * 100);
      boxes[box] = (boxes[box] ?? 0) + 1;
    }
    const chiSquare = boxes.reduce((sum, box) => sum + (box - 1000) ** 2 / 1000, 0);
    // 99 degrees of freedom: 99.99 % of fair generators lie between 55 and 161.
    expect(chiSquare).toBeGreaterThan(55);
    expect(chiSquare).toBeLessThan(161);
  });

  it('gives bytes of the asked length, and ids that sort by time', async () => {
    const random = seededRandom('bytes');
    expect(random.bytes(0)).toHaveLength(0);
    expect(new Set(random.bytes(4096)).size).toBe(256);
    const clock = new VirtualClock();
    const newId = createIdGenerator(clock, random);
    const first = newId('vm');
    await clock.run(5);
    const second = newId('vm');
    expect(first).toMatch(/^vm_[0-9a-f]{32}$/);
    expect(first < second).toBe(true);
  });
});

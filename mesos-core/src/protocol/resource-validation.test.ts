import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resource } from './messages.ts';
import { parseResources } from './resource-text.ts';
import { resourceFormProblem } from './resource-validation.ts';

function set(item: readonly string[]): Resource {
  return { name: 'disks', type: 'SET', set: { item } };
}

describe('the form of resources', () => {
  it.each(['cpus:0.5;mem:128', 'gpus:2', 'ports:[31000-31010,31020-31020]', 'disks:{a,b}'])(
    '%s is in order',
    (text) => {
      expect(resourceFormProblem(parseResources(text))).toBeUndefined();
    },
  );

  it.each<[string, Resource, string]>([
    ['nothing of it', { name: 'cpus', type: 'SCALAR' }, 'Invalid scalar resource: cpus'],
    [
      'less than nothing',
      { name: 'cpus', type: 'SCALAR', scalar: { value: -1 } },
      'Invalid scalar resource: value < 0',
    ],
    [
      'no number',
      { name: 'cpus', type: 'SCALAR', scalar: { value: Number.NaN } },
      'Invalid scalar resource: value < 0',
    ],
    [
      'part of a GPU',
      { name: 'gpus', type: 'SCALAR', scalar: { value: 0.5 } },
      "The 'gpus' resource must be an unsigned integer",
    ],
    [
      'a range from high to low',
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 2, end: 1 }] } },
      'Invalid ranges resource: begin > end',
    ],
    ['a text', { name: 'rack', type: 'TEXT' }, 'Unsupported resource type'],
  ])('is not in order with %s', (_what, resource, problem) => {
    expect(resourceFormProblem([resource])).toBe(problem);
  });

  it('is in order with a set just when each of its items is named once', () => {
    const items = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 5 });
    fc.assert(
      fc.property(items, (item) => {
        const isFine = resourceFormProblem([set(item)]) === undefined;
        expect(isFine).toBe(new Set(item).size === item.length);
      }),
    );
  });

  it('is in order with ranges, in any order, just when no number is in two of them', () => {
    const bound = fc.integer({ min: 1, max: 15 });
    const range = fc
      .tuple(bound, bound)
      .map(([a, b]) => ({ begin: Math.min(a, b), end: Math.max(a, b) }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 4 }), (ranges) => {
        const numbers = ranges.flatMap(({ begin, end }) =>
          Array.from({ length: end - begin + 1 }, (_, index) => begin + index),
        );
        const resource: Resource = { name: 'ports', type: 'RANGES', ranges: { range: ranges } };
        const isFine = resourceFormProblem([resource]) === undefined;
        expect(isFine).toBe(new Set(numbers).size === numbers.length);
      }),
    );
  });
});

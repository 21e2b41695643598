import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numbers, ports } from '../testing/launch-fixtures.ts';
import { haveOverlap } from './resources.ts';

describe('parts of resources', () => {
  it('overlap just when a port is in two of them', () => {
    const port = fc.integer({ min: 1, max: 20 });
    const range = fc
      .tuple(port, port)
      .map(([a, b]) => ({ begin: Math.min(a, b), end: Math.max(a, b) }));
    const part = fc.array(
      range.map((one) => ports(one)),
      { maxLength: 2 },
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 3 }), (parts) => {
        const named = parts.flatMap((resources) => [
          ...new Set(
            resources.flatMap(({ ranges }) =>
              (ranges?.range ?? []).flatMap(({ begin, end }) => numbers(begin, end)),
            ),
          ),
        ]);
        expect(haveOverlap(parts)).toBe(new Set(named).size < named.length);
      }),
    );
  });
});

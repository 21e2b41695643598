import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDurationMs, parseDurationMs } from './duration.ts';
import { agentId, InvalidIdError, idProblem } from './ids.ts';
import {
  addRanges,
  containsRanges,
  countRanges,
  formatRanges,
  normalizeRanges,
  parseValue,
  subtractRanges,
} from './values.ts';

const ranges = fc
  .array(fc.record({ begin: fc.nat(20), length: fc.nat(6) }), { maxLength: 5 })
  .map((parts) => parts.map(({ begin, length }) => ({ begin, end: begin + length })));

function numbers(list: readonly { begin: number; end: number }[]): Set<number> {
  return new Set(
    list.flatMap(({ begin, end }) => Array.from({ length: end - begin + 1 }, (_, i) => begin + i)),
  );
}

describe('ranges', () => {
  it('are sets of numbers', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const inA = numbers(a);
        const inB = numbers(b);
        expect(numbers(addRanges(a, b))).toEqual(inA.union(inB));
        expect(numbers(subtractRanges(a, b))).toEqual(inA.difference(inB));
        expect(containsRanges(a, b)).toBe(inB.isSubsetOf(inA));
        expect(countRanges(a)).toBe(inA.size);
      }),
    );
  });

  it('are kept in as few as can be', () => {
    fc.assert(
      fc.property(ranges, (a) => {
        const normal = normalizeRanges(a);
        for (const [index, range] of normal.entries()) {
          const next = normal[index + 1];
          if (next !== undefined) expect(next.begin).toBeGreaterThan(range.end + 1);
        }
        expect(parseValue(formatRanges(normal))).toEqual({
          type: 'RANGES',
          ranges: { range: normal },
        });
      }),
    );
  });
});

describe('values as text', () => {
  it.each([
    ['2.5', { type: 'SCALAR', scalar: { value: 2.5 } }],
    [' 1e3 ', { type: 'SCALAR', scalar: { value: 1000 } }],
    ['0.12345', { type: 'SCALAR', scalar: { value: 0.123 } }],
    ['{}', { type: 'SET', set: { item: [] } }],
    ['r1', { type: 'TEXT', text: { value: 'r1' } }],
  ])('%j is %j', (text, value) => {
    expect(parseValue(text)).toEqual(value);
  });

  it.each(['', '[1-2', '{a', '[a-b]', '[3-1]'])('%j is refused', (text) => {
    expect(() => parseValue(text)).toThrow(expect.objectContaining({ code: 'MESOS_ERR_PARSE' }));
  });
});

describe('ids', () => {
  it.each(['', '.', '..', 'a/b', 'a\nb', 'x'.repeat(256)])('%j is refused', (text) => {
    expect(idProblem(text)).toBeTypeOf('string');
    expect(() => agentId(text)).toThrow(InvalidIdError);
  });

  it('others are fine', () => {
    expect(agentId('d49d63c2-7eb9-4426-a3a7-6fa54f1a5e84-S0')).toMatch(/-S0$/);
  });
});

describe('durations', () => {
  it.each([
    ['5secs', 5000],
    ['1.5mins', 90_000],
    ['2hrs', 7_200_000],
    ['500ms', 500],
    ['1weeks', 604_800_000],
    ['0ns', 0],
  ])('%s is %d ms', (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
    expect(formatDurationMs(durationMs)).toBe(text);
  });

  it.each(['', '5', 'secs', '5 parsecs', '-5secs'])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

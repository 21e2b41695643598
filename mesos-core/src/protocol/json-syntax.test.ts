import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findSyntaxError } from './json-syntax.ts';

it.each([
  ['{"type":', 8],
  ['{', 1],
  ['', 0],
  ['{"a":1,}', 7],
  ['[1 2]', 3],
  ['{"a" 1}', 5],
  ['[1,', 3],
  ['{"a":[{"b":nul}]}', 11],
  ['[]]', 2],
  ['"\u0001"', 0],
  ['[[],{}', 6],
])('%j is wrong at %d', (text, position) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(findSyntaxError(text)).toBe(position);
});

it('reads what is JSON to its end', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('', ' \n'), (json, space) => {
      expect(findSyntaxError(space + json + space)).toBe(json.length + 2 * space.length);
    }),
  );
});

it('finds the cut in JSON that is cut short', () => {
  fc.assert(
    fc.property(fc.object(), fc.nat(), (object, at) => {
      const json = JSON.stringify(object);
      const cut = json.slice(0, at % json.length);
      expect(findSyntaxError(cut)).toBeLessThanOrEqual(cut.length);
    }),
  );
});

it('copes with large bodies', () => {
  const large = `{"a":"${'x\\n'.repeat(2_000_000)}" oops`;
  expect(findSyntaxError(large)).toBe(large.length - 4);
  const deep = '['.repeat(1_000_000);
  expect(findSyntaxError(deep)).toBe(deep.length);
});

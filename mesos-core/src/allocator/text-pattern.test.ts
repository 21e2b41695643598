import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from './text-pattern.ts';

function fits(pattern: string, text: string): boolean {
  return compilePattern(pattern).matches(text);
}

describe('a pattern', () => {
  const cases: [string, readonly string[], readonly string[]][] = [
    ['abc', ['abc'], ['ab', 'abcd', 'xabc', '']],
    ['', [''], ['a']],
    ['a.c', ['abc', 'a.c', 'aéc'], ['a\nc', 'ac']],
    ['a|bc|', ['a', 'bc', ''], ['b', 'abc']],
    ['(a|b)*c', ['c', 'abbac'], ['ab']],
    ['(?:ab)+', ['ab', 'abab'], ['', 'aba']],
    ['ab?', ['a', 'ab'], ['abb']],
    ['a{2}', ['aa'], ['a', 'aaa']],
    ['a{2,}', ['aa', 'aaaa'], ['a']],
    ['a{1,3}?', ['a', 'aaa'], ['', 'aaaa']],
    ['[a-c_]+', ['a_b'], ['d', '']],
    ['[^a-c]', ['d', '-'], ['a']],
    ['[]a-]', [']', 'a', '-'], ['b']],
    ['\\d+\\.\\w*\\s?', ['12.x_ ', '1.'], ['1x']],
    ['[\\d\\-x]+', ['1-x'], ['a']],
    ['\\S\\D\\W', ['ab-'], ['ab1', 'a1-']],
    ['^a$', ['a'], ['b']],
    ['a^b|a$b', [], ['ab', 'a']],
    ['(a*)*', ['', 'aaa'], ['b']],
    ['a{x', ['a{x'], ['ax']],
    ['rack-(eu|us)-[0-9]{2}', ['rack-eu-07'], ['rack-eu-7', 'rack-asia-07']],
    ['💾+', ['💾💾'], ['x']],
  ];
  it.each(cases)('%s fits whole texts only', (pattern, fitting, others) => {
    for (const text of fitting) expect(fits(pattern, text), text).toBe(true);
    for (const text of others) expect(fits(pattern, text), text).toBe(false);
  });

  it('means the same as in JavaScript, where both know it', () => {
    const atoms = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '(a|b)',
      '(ab|)',
      '\\w',
      '(?:b*a)',
    );
    const repeats = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,2}', '{2,}');
    const patterns = fc
      .array(fc.tuple(atoms, repeats), { maxLength: 6 })
      .map((parts) => parts.map((part) => part.join('')).join(''));
    const texts = fc
      .array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 })
      .map((text) => text.join(''));
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(fits(pattern, text)).toBe(new RegExp(`^(?:${pattern})$`, 'u').test(text));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    '(a)\\1',
    '(?=a)b',
    '(?<!a)b',
    'a**',
    '*a',
    '(a',
    'a)',
    '[a',
    '[z-a]',
    '\\',
    'a{1001}',
    'a{3,2}',
    '(a{1000}){1000}',
    '((((){1000}){1000}){1000}){1000}',
    'a'.repeat(501),
    '('.repeat(101),
    '\\p{Nonsense}',
  ])('%.20s is refused', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(
      expect.objectContaining({ code: 'MESOS_ERR_PATTERN' }),
    );
  });

  it('takes no more steps than the text is long, where backtracking would take for ever', () => {
    const text = `${'a'.repeat(5_000)}!`;
    for (const pattern of [
      '(a+)+',
      '(a|a)*',
      '(a|aa)+',
      '(.*)*x',
      'a*a*a*a*a*b',
      '(?:a?){100}a{100}',
    ]) {
      expect(fits(pattern, text)).toBe(false);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTextPattern, TEXT_PATTERN_LIMITS, TextPatternError } from './text-pattern.ts';

/** Patterns that both we and JavaScript know, over a few letters. */
const patterns = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('atom'),
    fc
      .tuple(tie('atom'), fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,2}'))
      .map((p) => p.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map((p) => p.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
  ),
  atom: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '[a-c]', '\\d', '\\w', '\\.', ']'),
    tie('pattern').map((pattern) => `(?:${pattern})`),
  ),
}));

describe('a text pattern', () => {
  it('matches as a regular expression of JavaScript does, the whole text', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', ']'), maxLength: 8 });
    fc.assert(
      fc.property(patterns.pattern, texts, (pattern, text) => {
        fc.pre(pattern.length <= TEXT_PATTERN_LIMITS.lengthMax);
        expect(compileTextPattern(pattern)(text)).toBe(new RegExp(`^(?:${pattern})$`).test(text));
      }),
    );
  });

  it('either compiles or is refused with words, whatever somebody writes', () => {
    const signs = fc.string({ unit: fc.constantFrom(...'ab(|)[]{}*+?^$\\.-,:1'.split('')) });
    fc.assert(
      fc.property(signs, fc.string(), (pattern, text) => {
        try {
          compileTextPattern(pattern)(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TextPatternError);
        }
      }),
    );
  });

  it('takes a number of steps in proportion to the text, where others take for ever', () => {
    const text = `${'a'.repeat(TEXT_PATTERN_LIMITS.textLengthMax - 1)}!`;
    for (const pattern of [
      '(a+)+',
      '(a|a)*',
      '(a|aa)+',
      '(.*)*b',
      '(a*)*(a*)*',
      '(?:a?){100}a{100}',
    ]) {
      expect(compileTextPattern(pattern)(text)).toBe(false);
    }
  });

  it.each([
    '(?=a)',
    '\\1',
    'a**',
    '*a',
    '(a',
    'a)',
    '[a',
    '[b-a]',
    'a{3,2}',
    'a{999}',
    'a{1001}',
    '((a{100}){100}){100}',
    '((){200}){200}',
    `${'('.repeat(99)}a`,
  ])('is not %s', (pattern) => {
    expect(() => compileTextPattern(pattern)).toThrow(TextPatternError);
  });

  it('may have anchors at its ends', () => {
    expect(compileTextPattern('^r1$')('r1')).toBe(true);
    expect(compileTextPattern('cost\\$')('cost$')).toBe(true);
  });

  it('knows what RE2 does beyond that', () => {
    expect(compileTextPattern('(?i)Rack-\\pL+')('rack-é')).toBe(true);
    expect(compileTextPattern('a$b')('ab')).toBe(false);
  });

  it('matches no text that is too long', () => {
    expect(compileTextPattern('a*')('a'.repeat(TEXT_PATTERN_LIMITS.textLengthMax + 1))).toBe(false);
  });
});

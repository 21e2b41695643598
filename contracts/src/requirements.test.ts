import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import {
  type AttributeRule,
  AttributeRuleSchema,
  compileRule,
  describeRule,
  type HostAttribute,
} from './requirements.ts';

const text = (name: string, value: string): HostAttribute => ({ name, type: 'text', text: value });
const RACK = text('rack', 'r17');
const CORES: HostAttribute = { name: 'cores', type: 'scalar', scalar: 48 };
const VLANS: HostAttribute = {
  name: 'vlans',
  type: 'ranges',
  ranges: [
    [1, 5],
    [9, 9],
  ],
};
const TAGS: HostAttribute = { name: 'tags', type: 'set', items: ['ssd', 'gpu-a100', '7'] };
const HOST = [RACK, CORES, VLANS, TAGS];

const holds = (rule: AttributeRule, host: readonly HostAttribute[] = HOST): boolean =>
  compileRule(rule)(host);

describe('a requirement', () => {
  it.each<[AttributeRule, boolean]>([
    [{ name: 'rack', op: 'eq', value: 'r17' }, true],
    [{ name: 'rack', op: 'eq', value: 'r1' }, false],
    [{ name: 'cores', op: 'eq', value: '48' }, true],
    [{ name: 'cores', op: 'eq', value: '48.0' }, true],
    [{ name: 'cores', op: 'eq', value: '' }, false],
    [{ name: 'vlans', op: 'eq', value: '4' }, true],
    [{ name: 'vlans', op: 'eq', value: '7' }, false],
    [{ name: 'tags', op: 'eq', value: 'ssd' }, true],
    [{ name: 'tags', op: 'in', values: ['hdd', 'ssd'] }, true],
    [{ name: 'tags', op: 'in', values: ['hdd'] }, false],
    [{ name: 'cores', op: 'range', min: 48 }, true],
    [{ name: 'cores', op: 'range', max: 47.9 }, false],
    [{ name: 'vlans', op: 'range', min: 6, max: 10 }, true],
    [{ name: 'vlans', op: 'range', min: 6, max: 8 }, false],
    [{ name: 'rack', op: 'range' }, false],
    [{ name: 'tags', op: 'range', min: 7, max: 7 }, true],
    [{ name: 'rack', op: 'regex', pattern: 'r[0-9]{2}' }, true],
    [{ name: 'rack', op: 'regex', pattern: 'r[0-9]' }, false],
    [{ name: 'tags', op: 'regex', pattern: 'gpu-.*' }, true],
    [{ name: 'cores', op: 'regex', pattern: '4\\d' }, true],
    [{ name: 'vlans', op: 'regex', pattern: '.*' }, false],
    [{ name: 'absent', op: 'regex', pattern: '.*' }, false],
  ])('%j is asked of the values of one attribute: %s', (rule, expected) => {
    expect(holds(rule)).toBe(expected);
  });

  it('holds when any attribute of its name will do', () => {
    const rule: AttributeRule = { name: 'rack', op: 'eq', value: 'b' };
    expect(holds(rule, [text('rack', 'a'), text('rack', 'b')])).toBe(true);
    expect(holds(rule, [text('row', 'b')])).toBe(false);
  });

  it('of one value and of several mean the same, whatever the attribute', () => {
    const value = fc.oneof(fc.string(), fc.integer().map(String));
    const attribute = fc.constantFrom(...HOST);
    fc.assert(
      fc.property(attribute, fc.array(value, { minLength: 1 }), ({ name, ...rest }, values) => {
        const host = [{ name, ...rest }];
        const one = values.some((each) => holds({ name, op: 'eq', value: each }, host));
        expect(holds({ name, op: 'in', values }, host)).toBe(one);
      }),
    );
  });

  it('of a range holds for exactly the numbers in it', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer(), (scalar, min, max) => {
        const host: HostAttribute[] = [{ name: 'n', type: 'scalar', scalar }];
        expect(holds({ name: 'n', op: 'range', min, max }, host)).toBe(
          scalar >= min && scalar <= max,
        );
      }),
    );
  });

  it('is told in words', () => {
    expect(describeRule({ name: 'rack', op: 'in', values: ['a', 'b'] })).toBe(
      'rack is one of a, b',
    );
    expect(describeRule({ name: 'n', op: 'range', min: 3 })).toBe('n is a number from 3');
  });

  it.each([
    { name: 'rack', op: 'eq' },
    { name: 'rack', op: 'is', value: 'a' },
    { name: 'rack', op: 'eq', value: 'a', min: 1 },
    { name: 'ra ck', op: 'eq', value: 'a' },
    { name: 'rack', op: 'in', values: [] },
    { name: 'rack', op: 'regex', pattern: 'a'.repeat(1_000) },
  ])('is not %j', (rule) => {
    expect(Compile(AttributeRuleSchema).Check(rule)).toBe(false);
  });
});

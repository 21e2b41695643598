import { describe, expect, it } from 'vitest';
import { formatAttributes, matchesConstraint, parseAttributes } from './attributes.ts';
import type { SchedulerAttributeConstraintPredicate } from './messages.ts';

describe('attributes', () => {
  it('are read and printed', () => {
    const attributes = parseAttributes(
      'rack:r1;cores:8;vlans:[1-5,9-9];url:http://a/b; tags:{x,y}',
    );
    expect(attributes).toEqual([
      { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
      { name: 'cores', type: 'SCALAR', scalar: { value: 8 } },
      {
        name: 'vlans',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 1, end: 5 },
            { begin: 9, end: 9 },
          ],
        },
      },
      { name: 'url', type: 'TEXT', text: { value: 'http://a/b' } },
      { name: 'tags', type: 'SET', set: { item: ['x', 'y'] } },
    ]);
    expect(parseAttributes(formatAttributes(attributes))).toEqual(attributes);
    expect(parseAttributes('')).toEqual([]);
  });

  it.each(['rack', ':r1', 'rack:', 'rack:[1-'])('%j is refused', (text) => {
    expect(() => parseAttributes(text)).toThrow(
      expect.objectContaining({ code: 'MESOS_ERR_PARSE' }),
    );
  });
});

describe('constraints', () => {
  const subject = {
    hostname: 'host-1',
    domain: { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } },
    attributes: parseAttributes('rack:r1;cores:8'),
  };
  const cases: [object, SchedulerAttributeConstraintPredicate, boolean][] = [
    [{ attribute_name: 'rack' }, { exists: {} }, true],
    [{ attribute_name: 'gpu' }, { exists: {} }, false],
    [{ attribute_name: 'gpu' }, { not_exists: {} }, true],
    [{ attribute_name: 'cores' }, { not_exists: {} }, false],
    [{ attribute_name: 'rack' }, { text_equals: { value: 'r1' } }, true],
    [{ attribute_name: 'rack' }, { text_not_equals: { value: 'r1' } }, false],
    [{ attribute_name: 'gpu' }, { text_equals: { value: 'r1' } }, false],
    [{ attribute_name: 'gpu' }, { text_not_equals: { value: 'r1' } }, true],
    [{ attribute_name: 'cores' }, { text_equals: { value: 'anything' } }, true],
    [{ attribute_name: 'rack' }, { text_matches: { regex: 'r\\d' } }, true],
    [{ attribute_name: 'rack' }, { text_matches: { regex: 'r' } }, false],
    [{ attribute_name: 'rack' }, { text_not_matches: { regex: 'r|x' } }, true],
    [{ pseudoattribute_type: 'HOSTNAME' }, { text_equals: { value: 'host-1' } }, true],
    [{ pseudoattribute_type: 'REGION' }, { text_equals: { value: 'us' } }, false],
    [{ pseudoattribute_type: 'ZONE' }, { text_matches: { regex: 'eu-.*' } }, true],
  ];
  it.each(cases)('%j %j is %s', (selector, predicate, expected) => {
    expect(matchesConstraint({ selector, predicate }, subject)).toBe(expected);
  });

  it('refuses what is no regular expression', () => {
    const constraint = { selector: { attribute_name: 'rack' }, predicate: {} };
    const predicate = { text_matches: { regex: '(' } };
    expect(() => matchesConstraint({ ...constraint, predicate }, subject)).toThrow(
      'Invalid regular',
    );
  });
});

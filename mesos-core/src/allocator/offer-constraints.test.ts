import { describe, expect, it } from 'vitest';
import { parseAttributes, type SchedulerAttributeConstraint } from '../protocol/index.ts';
import { compileOfferConstraints } from './offer-constraints.ts';

const host = {
  hostname: 'host-1',
  domain: { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } },
  attributes: parseAttributes('rack:r1;cores:8'),
};

/** Whether an agent that is like `host` is left to the framework by one constraint. */
function holds(
  selector: SchedulerAttributeConstraint['selector'],
  predicate: SchedulerAttributeConstraint['predicate'],
  agent: Parameters<ReturnType<typeof isExcluded>>[0] = host,
): boolean {
  return !isExcluded([[{ selector, predicate }]])(agent);
}

function isExcluded(groups: readonly (readonly SchedulerAttributeConstraint[])[]) {
  const role = { groups: groups.map((attribute_constraints) => ({ attribute_constraints })) };
  const { exclusions } = compileOfferConstraints({ role_constraints: { r: role } });
  const compiled = exclusions.get('r');
  if (compiled === undefined) throw new Error('no constraints');
  return compiled;
}

describe('a constraint on an attribute', () => {
  const rack = { attribute_name: 'rack' };
  const gpu = { attribute_name: 'gpu' };
  const cores = { attribute_name: 'cores' };
  const cases: [
    SchedulerAttributeConstraint['selector'],
    SchedulerAttributeConstraint['predicate'],
    boolean,
  ][] = [
    [rack, { exists: {} }, true],
    [gpu, { exists: {} }, false],
    [gpu, { not_exists: {} }, true],
    [cores, { not_exists: {} }, false],
    [rack, { text_equals: { value: 'r1' } }, true],
    [rack, { text_not_equals: { value: 'r1' } }, false],
    [gpu, { text_equals: { value: 'r1' } }, false],
    [gpu, { text_not_equals: { value: 'r1' } }, true],
    [rack, { text_matches: { regex: 'r\\d' } }, true],
    [rack, { text_matches: { regex: 'r' } }, false],
    [rack, { text_not_matches: { regex: 'r|x' } }, true],
    [gpu, { text_matches: { regex: '.*' } }, false],
    [gpu, { text_not_matches: { regex: '.*' } }, true],
    [{ pseudoattribute_type: 'HOSTNAME' }, { text_equals: { value: 'host-1' } }, true],
    [{ pseudoattribute_type: 'REGION' }, { text_equals: { value: 'us' } }, false],
    [{ pseudoattribute_type: 'ZONE' }, { text_matches: { regex: 'eu-.*' } }, true],
  ];
  it.each(cases)('%j %j: %s', (selector, predicate, expected) => {
    expect(holds(selector, predicate)).toBe(expected);
  });

  it('that is not text passes whatever is asked of text', () => {
    expect(holds(cores, { text_equals: { value: 'x' } })).toBe(true);
    expect(holds(cores, { text_not_equals: { value: '8' } })).toBe(true);
    expect(holds(cores, { text_matches: { regex: 'x' } })).toBe(true);
  });

  it('sees no region or zone of an agent without a domain', () => {
    const agent = { ...host, domain: undefined };
    expect(holds({ pseudoattribute_type: 'REGION' }, { exists: {} }, agent)).toBe(false);
  });
});

describe('constraints together', () => {
  const rack = { selector: { attribute_name: 'rack' }, predicate: { exists: {} } };
  const never = { selector: { attribute_name: 'none' }, predicate: { exists: {} } };

  it('leave an agent when all of one group hold', () => {
    expect(isExcluded([[rack, never], [rack]])(host)).toBe(false);
    expect(isExcluded([[rack, never], [never]])(host)).toBe(true);
  });

  it.each([
    [
      { r: {} },
      "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role r",
    ],
    [
      { r: { groups: [{}] } },
      "'OfferConstraints::RoleConstraints::groups' for role r contains an empty RoleConstraints::Group",
    ],
    [constraint({ selector: {} }), 'Exactly one of'],
    [constraint({ selector: { pseudoattribute_type: 'UNKNOWN' } }), 'Unknown pseudoattribute type'],
    [constraint({ predicate: {} }), 'Unknown predicate type'],
    [
      constraint({ predicate: { text_matches: { regex: '(' } } }),
      "Failed to construct regex from pattern '('",
    ],
  ])('%j is refused', (role_constraints, message) => {
    expect(() => compileOfferConstraints({ role_constraints })).toThrow(message);
  });

  it('are refused when their patterns are too large together', () => {
    const large = { selector: rack.selector, predicate: { text_matches: { regex: 'a{400}' } } };
    const many = { groups: Array.from({ length: 30 }, () => ({ attribute_constraints: [large] })) };
    expect(() => compileOfferConstraints({ role_constraints: { r: many } })).toThrow('too large');
  });

  function constraint(change: Partial<SchedulerAttributeConstraint>) {
    return { r: { groups: [{ attribute_constraints: [{ ...rack, ...change }] }] } };
  }
});

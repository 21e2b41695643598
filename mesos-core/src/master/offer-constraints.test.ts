import { describe, expect, it } from 'vitest';
import type { SchedulerOfferConstraints } from '../protocol/index.ts';
import { readOfferConstraints } from './offer-constraints.ts';

const info = { user: 'root', name: 'f', role: 'r' };

function onRack(role: string, regex: string): SchedulerOfferConstraints {
  const constraint = {
    selector: { attribute_name: 'rack' },
    predicate: { text_matches: { regex } },
  };
  return { role_constraints: { [role]: { groups: [{ attribute_constraints: [constraint] }] } } };
}

describe('offer constraints of a framework', () => {
  it('are for its own roles', () => {
    expect(readOfferConstraints(info, onRack('r', 'a')).problem).toBeUndefined();
    expect(readOfferConstraints(info, onRack('s', 'a')).problem).toContain("'s'");
  });

  it('may be missing', () => {
    expect(readOfferConstraints(info, undefined)).toEqual({});
  });

  it('with a hostile pattern are refused, in words', () => {
    expect(readOfferConstraints(info, onRack('r', '(?=a)*')).problem).toContain(
      "Failed to construct regex from pattern '(?=a)*'",
    );
  });
});

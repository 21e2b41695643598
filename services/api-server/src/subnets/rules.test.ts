import type { SecurityRule } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { ruleSecurityRules, ruleSubnet } from './rules.ts';

describe('the rules of a subnet', () => {
  it('fill in what is left out', () => {
    expect(ruleSubnet({ name: 'render', cidr: '10.1.0.0/16' })).toEqual({
      name: 'render',
      cidr: '10.1.0.0/16',
      egress: 'none',
      dnsDomain: 'render.internal',
      securityRules: [],
    });
  });

  it('name the field at fault', () => {
    const cidr = '10.0.0.0/8';
    expect(ruleSubnet({ name: 'render', cidr })).toMatchObject({ field: 'cidr' });
  });

  const rule: SecurityRule = { direction: 'in', protocol: 'tcp', action: 'accept' };
  it.each([
    ['ports', { ...rule, protocol: 'icmp', ports: [1, 2] }],
    ['ports', { ...rule, ports: [443, 80] }],
    ['cidr', { ...rule, cidr: '10.0.0.1/8' }],
    ['cidr', { ...rule, cidr: '' }],
  ] as const)('refuse security rules with senseless %s', (field, bad) => {
    const rules = [rule, bad] as SecurityRule[];
    expect(ruleSecurityRules(rules)).toMatchObject({ field: `securityRules[1].${field}` });
  });

  it('allow security rules of the whole world', () => {
    const wide: SecurityRule[] = [{ ...rule, ports: [80, 80], cidr: '0.0.0.0/0' }];
    expect(ruleSecurityRules(wide)).toBeUndefined();
  });
});

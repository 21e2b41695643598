import { describe, expect, it } from 'vitest';
import {
  describeSecurityRule,
  parseNic,
  parseRequirement,
  parseResource,
  parseSecurityRule,
} from './wordings.ts';

describe('security rules', () => {
  it.each([
    ['accept in tcp 22', { direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' }],
    ['accept in udp 1-99', { direction: 'in', protocol: 'udp', ports: [1, 99], action: 'accept' }],
    ['drop out any', { direction: 'out', protocol: 'any', action: 'drop' }],
    [
      'drop in icmp 10.0.0.0/8',
      { direction: 'in', protocol: 'icmp', cidr: '10.0.0.0/8', action: 'drop' },
    ],
  ])('read as they are written: %s', (text, rule) => {
    const parsed = parseSecurityRule(text);
    expect(parsed).toEqual(rule);
    expect(describeSecurityRule(parsed)).toBe(text);
  });

  it.each(['in tcp 22', 'accept in', 'accept in tcp x', 'accept in tcp 22 anyone', ''])(
    'refuse %j, with an example',
    (text) => {
      expect(() => parseSecurityRule(text)).toThrow("like 'accept in tcp 22'");
    },
  );
});

describe('requirements', () => {
  it.each([
    ['rack=r1', { name: 'rack', op: 'eq', value: 'r1' }],
    ['rack=r1,r2', { name: 'rack', op: 'in', values: ['r1', 'r2'] }],
    ['cores>=8', { name: 'cores', op: 'range', min: 8 }],
    ['cores<=64', { name: 'cores', op: 'range', max: 64 }],
    ['cpu~EPYC.*', { name: 'cpu', op: 'regex', pattern: 'EPYC.*' }],
  ])('read %s', (text, rule) => {
    expect(parseRequirement(text)).toEqual(rule);
  });

  it.each(['rack', 'rack=', 'cores>=many', '=r1'])('refuse %j, with examples', (text) => {
    expect(() => parseRequirement(text)).toThrow('rack=r1, rack=r1,r2, cores>=8');
  });
});

describe('cards and resources', () => {
  it('read what follows the name', () => {
    expect(parseNic('back')).toEqual({ subnet: 'back' });
    expect(parseNic('back=10.0.0.7')).toEqual({ subnet: 'back', ipAddress: '10.0.0.7' });
    expect(parseResource('licences=2')).toEqual(['licences', 2]);
  });

  it('refuse what has no sense', () => {
    for (const text of ['', 'back=', 'a=b=c']) expect(() => parseNic(text)).toThrow('like back');
    for (const text of ['licences', 'licences=x', '=2']) {
      expect(() => parseResource(text)).toThrow('like licences=2');
    }
  });
});

import { describe, expect, it } from 'vitest';
import {
  countAddresses,
  divideAddresses,
  externalAddressesOf,
  freeAddress,
  parseExternalAddresses,
} from './external-addresses.ts';

const name = 'external_addresses';

describe('external addresses of a host', () => {
  it('are networks, ranges and single addresses, each once', () => {
    const ranges = parseExternalAddresses('192.0.2.16/30, 192.0.2.18-192.0.2.21,198.51.100.7');
    expect(countAddresses(ranges)).toBe(7);
    expect(freeAddress(ranges, new Set())).toBe('192.0.2.16');
    expect(freeAddress(ranges, new Set(['192.0.2.16', '192.0.2.17']))).toBe('192.0.2.18');
    const taken = [16, 17, 18, 19, 20, 21].map((last) => `192.0.2.${last}`);
    expect(freeAddress(ranges, new Set(taken))).toBe('198.51.100.7');
    expect(freeAddress(ranges, new Set([...taken, '198.51.100.7']))).toBeUndefined();
  });

  it.each([
    '',
    'x',
    '192.0.2.1/33',
    '192.0.2.9-192.0.2.3',
    '192.0.2.256',
    '10.0.0.0/8',
    '1.2.3.4,',
  ])('are not %j', (text) =>
    expect(() => parseExternalAddresses(text)).toThrow(/192\.0\.2\.16\/28/),
  );

  it('are read from an attribute that is a text or a set, and are none when that makes no sense', () => {
    const count = (attribute: Parameters<typeof externalAddressesOf>[0]): number =>
      countAddresses(externalAddressesOf(attribute));
    expect(count([{ name, type: 'text', text: '192.0.2.16/28' }])).toBe(16);
    expect(count([{ name, type: 'set', items: ['192.0.2.1', '192.0.2.2'] }])).toBe(2);
    expect(count([{ name: 'rack', type: 'text', text: '192.0.2.16/28' }])).toBe(0);
    expect(count([{ name, type: 'text', text: 'many' }])).toBe(0);
    expect(count([{ name, type: 'scalar', scalar: 3 }])).toBe(0);
    expect(count(undefined)).toBe(0);
  });

  it('are divided between hosts, so that none is of two', () => {
    const parts = divideAddresses(parseExternalAddresses('192.0.2.16/29,198.51.100.7'), 2);
    expect(parts).toEqual([
      '192.0.2.16-192.0.2.19',
      '192.0.2.20-192.0.2.23,198.51.100.7-198.51.100.7',
    ]);
    expect(divideAddresses(parseExternalAddresses('192.0.2.1'), 2)).toEqual([
      '',
      '192.0.2.1-192.0.2.1',
    ]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressPool,
  addressAt,
  checkSubnetCidr,
  doOverlap,
  gatewayAddress,
  offsetOf,
  parseCidr,
  takeAddresses,
  usableAddresses,
} from './addresses.ts';

const pool: AddressPool = {
  cidr: '10.80.0.0/16',
  vni: 0x01_02_03,
  nextOffset: 2,
  ahead: [],
  released: [],
};

describe('addresses of a subnet', () => {
  it('begin after the gateway', () => {
    expect(gatewayAddress(pool.cidr)).toBe('10.80.0.1');
    expect(takeAddresses(pool, 2)).toEqual({
      addresses: [
        { offset: 2, ipAddress: '10.80.0.2', macAddress: '52:01:02:03:00:02' },
        { offset: 3, ipAddress: '10.80.0.3', macAddress: '52:01:02:03:00:03' },
      ],
      pool: { ...pool, nextOffset: 4 },
    });
  });

  it('are new ones as long as there are, then those that have been free for longest', () => {
    const small = { ...pool, cidr: '192.168.1.0/29', nextOffset: 5, ahead: [5], released: [4, 2] };
    const { addresses, pool: after } = takeAddresses(small, 2);
    expect(addresses.map((address) => address.offset)).toEqual([6, 4]);
    expect(takeAddresses(after, 9).addresses.map((address) => address.offset)).toEqual([2]);
  });

  it.each([
    ['10.80.0.0', 'is not an IPv4 network'],
    ['300.0.0.0/8', 'is not an IPv4 network'],
    ['x', 'is not an IPv4 network'],
    ['10.80.0.1/16', 'is an address within 10.80.0.0/16'],
    ['10.80.0.0/30', 'allowed is from /16 to /29'],
    ['10.0.0.0/8', 'allowed is from /16 to /29'],
    ['8.8.8.0/24', 'is not private'],
    ['172.32.0.0/16', 'is not private'],
  ])('refuse the network %s: it %s', (cidr, why) => {
    expect(() => checkSubnetCidr(cidr)).toThrow(why);
  });

  it.each([
    ['10.80.0.0/16', '10.80.7.0/24', true],
    ['10.80.0.0/24', '10.80.0.0/24', true],
    ['10.80.0.0/24', '10.80.1.0/24', false],
  ])('of %s and %s may be the same: %s', (one, other, isSo) => {
    expect([doOverlap(one, other), doOverlap(other, one)]).toEqual([isSo, isSo]);
  });

  it('can be asked for, but for those that are nobody’s', () => {
    expect(offsetOf('10.80.0.0/24', '10.80.0.254')).toEqual({ offset: 254 });
    expect(offsetOf('10.80.0.0/24', '10.80.0.1')).toEqual({
      problem: '10.80.0.1 is the gateway of 10.80.0.0/24',
    });
    const range = 'is not for machines; in 10.80.0.0/24 they have 10.80.0.2 to 10.80.0.254';
    for (const address of ['10.80.0.0', '10.80.0.255', '10.80.1.2', '10.79.0.2']) {
      expect(offsetOf('10.80.0.0/24', address)).toEqual({ problem: `${address} ${range}` });
    }
    expect(offsetOf('10.80.0.0/24', 'me')).toEqual({ problem: 'me is not an IPv4 address' });
  });

  const anyPool = fc
    .record({
      bits: fc.integer({ min: 20, max: 29 }),
      vni: fc.integer({ min: 1, max: 2 ** 24 - 1 }),
    })
    .chain(({ bits, vni }) => {
      const size = 2 ** (32 - bits);
      return fc
        .record({
          nextOffset: fc.nat(size),
          known: fc.uniqueArray(fc.nat(size), { maxLength: 99 }),
        })
        .map(({ nextOffset, known }): AddressPool => {
          const inside = known.filter((offset) => offset >= 2 && offset < size - 1);
          const ahead = inside.filter((offset) => offset >= nextOffset);
          const released = inside.filter((offset) => offset % 2 === 0);
          return { cidr: `10.80.0.0/${bits}`, vni, nextOffset, ahead, released };
        });
    });

  it('are all different, free, and within the network; as many as there are', () => {
    fc.assert(
      fc.property(anyPool, fc.nat(5000), (any, count) => {
        const { addresses } = takeAddresses(any, count);
        const { base, size } = parseCidr(any.cidr);
        const end = 2 + usableAddresses(any.cidr);
        const fresh = Math.max(0, end - Math.max(2, any.nextOffset)) - any.ahead.length;
        expect(addresses.length).toBe(Math.min(count, fresh + any.released.length));
        for (const field of ['offset', 'ipAddress', 'macAddress'] as const) {
          expect(new Set(addresses.map((each) => each[field])).size).toBe(addresses.length);
        }
        for (const { offset } of addresses) {
          const isNew = offset >= any.nextOffset && !any.ahead.includes(offset);
          expect(isNew || any.released.includes(offset)).toBe(true);
          expect(offset).toBeGreaterThanOrEqual(2);
          expect(base + offset).toBeLessThan(base + size - 1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('follow on: what was taken is not given again', () => {
    fc.assert(
      fc.property(anyPool, fc.integer({ min: 1, max: 200 }), (any, count) => {
        const first = takeAddresses(any, count);
        expect(takeAddresses(any, count)).toEqual(first);
        const taken = first.addresses.map((address) => address.offset);
        const second = takeAddresses(first.pool, count).addresses;
        expect(second.filter((address) => taken.includes(address.offset))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('have MACs that no other subnet has', () => {
    const place = fc.record({ vni: fc.nat(2 ** 24 - 1), offset: fc.nat(2 ** 16 - 1) });
    fc.assert(
      fc.property(place, place, (a, b) => {
        const mac = ({ vni, offset }: typeof a) => addressAt({ ...pool, vni }, offset).macAddress;
        expect(mac(a) === mac(b)).toBe(a.vni === b.vni && a.offset === b.offset);
        expect(mac(a)).toMatch(/^52(:[0-9a-f]{2}){5}$/);
      }),
    );
  });
});

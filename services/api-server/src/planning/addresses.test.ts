import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gatewayAddress, nextFreeAddresses, parseCidr, usableAddresses } from './addresses.ts';

const space = { cidr: '10.80.0.0/16', macSeed: 0x12_34_56, nextOffset: 2 };

describe('addresses of a subnet', () => {
  it('begin after the gateway', () => {
    expect(gatewayAddress(space.cidr)).toBe('10.80.0.1');
    expect(nextFreeAddresses(space, [], 2)).toEqual({
      addresses: [
        { offset: 2, ipAddress: '10.80.0.2', macAddress: '52:54:00:12:34:54' },
        { offset: 3, ipAddress: '10.80.0.3', macAddress: '52:54:00:12:34:55' },
      ],
      nextOffset: 4,
    });
  });

  it('go around, so that released ones come last', () => {
    const small = { cidr: '192.168.1.0/29', macSeed: 0, nextOffset: 6 };
    const { addresses } = nextFreeAddresses(small, [3], 10);
    expect(addresses.map((address) => address.offset)).toEqual([6, 2, 4, 5]);
  });

  it.each(['10.80.0.0', '10.80.0.1/16', '10.80.0.0/30', '10.0.0.0/7', '300.0.0.0/8', 'x'])(
    'refuse %s',
    (cidr) => {
      expect(() => parseCidr(cidr)).toThrow('is not an IPv4 network');
    },
  );

  const anySpace = fc
    .record({ bits: fc.integer({ min: 20, max: 29 }), macSeed: fc.nat(0xff_ff_ff) })
    .chain(({ bits, macSeed }) =>
      fc.record({
        cidr: fc.constant(`10.80.0.0/${bits}`),
        macSeed: fc.constant(macSeed),
        nextOffset: fc.nat(2 ** (32 - bits)),
      }),
    );

  it('are all different, free, and within the network; as many as there are', () => {
    fc.assert(
      fc.property(anySpace, fc.array(fc.nat(4096)), fc.nat(5000), (any, used, count) => {
        const { addresses } = nextFreeAddresses(any, used, count);
        const { base, size } = parseCidr(any.cidr);
        const usable = usableAddresses(any.cidr);
        const taken = new Set(used.filter((offset) => offset >= 2 && offset < size - 1)).size;
        expect(addresses.length).toBe(Math.min(count, usable - taken));
        for (const field of ['offset', 'ipAddress', 'macAddress'] as const) {
          expect(new Set(addresses.map((each) => each[field])).size).toBe(addresses.length);
        }
        for (const { offset, macAddress } of addresses) {
          expect(used).not.toContain(offset);
          expect(offset).toBeGreaterThanOrEqual(2);
          expect(base + offset).toBeLessThan(base + size - 1);
          expect(macAddress).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are the same for the same input, and the next ones follow on', () => {
    fc.assert(
      fc.property(anySpace, fc.integer({ min: 1, max: 200 }), (any, count) => {
        const first = nextFreeAddresses(any, [], count);
        expect(nextFreeAddresses(any, [], count)).toEqual(first);
        const used = first.addresses.map((address) => address.offset);
        const next = { ...any, nextOffset: first.nextOffset };
        const second = nextFreeAddresses(next, used, count).addresses;
        expect(second.filter((address) => used.includes(address.offset))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

import { GuestInfoSchema } from '@factory/contracts';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { guestInfoOf } from './guest-info.ts';

const NOTHING = { timezone: undefined, filesystems: [], params: new Map() as never };

describe('what a guest says of itself', () => {
  it('is told without its loopback', () => {
    const os = { id: 'micro', name: 'Micro', prettyName: undefined, versionId: '1' };
    const address = (text: string) => ({ family: 'ipv4' as const, address: text, prefix: 8 });
    const info = guestInfoOf({
      ...{ ...NOTHING, hostname: 'farm-1' },
      os: { ...os, kernelRelease: '6.1.0', machine: 'x86_64' },
      interfaces: [
        { name: 'lo', macAddress: undefined, addresses: [address('127.0.0.1'), address('::1')] },
        { name: 'eth0', macAddress: undefined, addresses: [address('10.0.0.5')] },
      ],
    });
    expect(info).toEqual({
      hostName: 'farm-1',
      os: { id: 'micro', name: 'Micro', version: '1', kernel: '6.1.0' },
      addresses: [{ interface: 'eth0', ipAddress: '10.0.0.5' }],
    });
  });

  it('is bounded and printable, whatever it says', () => {
    const text = fc.string({ unit: 'binary', maxLength: 600 });
    const addresses = fc.array(text, { maxLength: 60 });
    fc.assert(
      fc.property(text, addresses, (any, all) => {
        const info = guestInfoOf({
          ...{ ...NOTHING, hostname: any },
          os: {
            id: any,
            name: any,
            prettyName: any,
            versionId: any,
            kernelRelease: any,
            machine: any,
          },
          interfaces: all.map((address) => ({
            ...{ name: any, macAddress: any },
            addresses: [{ family: 'ipv4' as const, address, prefix: 1 }],
          })),
        });
        expect(Value.Check(GuestInfoSchema, info)).toBe(true);
        const told = [info.hostName ?? '', ...info.addresses.map(({ ipAddress }) => ipAddress)];
        for (const each of told) expect(each.isWellFormed() && !/\p{Cc}/u.test(each)).toBe(true);
      }),
    );
  });
});

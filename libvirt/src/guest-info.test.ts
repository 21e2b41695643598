import { describe, expect, it } from 'vitest';
import { guestInfoOf, guestInfoTypes } from './guest-info.ts';

describe('what a guest says of itself', () => {
  it('is asked in parts, or all of it', () => {
    expect(guestInfoTypes([])).toBe(0);
    expect(guestInfoTypes(['hostname', 'os'])).toBe(10);
    expect(guestInfoTypes(['users', 'timezone', 'filesystems', 'disks', 'interfaces'])).toBe(117);
  });

  it('is read by the names of virDomainGetGuestInfo', () => {
    const params = new Map<string, string | number | bigint>([
      ['hostname', 'one'],
      ['os.id', 'debian'],
      ['os.pretty-name', 'Debian GNU/Linux 12 (bookworm)'],
      ['timezone.name', 'UTC'],
      ['timezone.offset', 0],
      ['fs.count', 1],
      ['fs.0.mountpoint', '/'],
      ['fs.0.name', 'vda1'],
      ['fs.0.fstype', 'ext4'],
      ['fs.0.total-bytes', 1_000n],
      ['fs.0.used-bytes', 10n],
      ['if.count', 2],
      ['if.0.name', 'lo'],
      ['if.1.name', 'eth0'],
      ['if.1.hwaddr', '52:54:00:00:00:01'],
      ['if.1.addr.count', 2],
      ['if.1.addr.0.type', 'ipv4'],
      ['if.1.addr.0.addr', '10.0.0.2'],
      ['if.1.addr.0.prefix', 24],
      ['if.1.addr.1.type', 'ipv6'],
      ['if.1.addr.1.addr', 'fe80::1'],
      ['if.1.addr.1.prefix', 64],
    ]);
    expect(guestInfoOf(params)).toMatchObject({
      hostname: 'one',
      os: { id: 'debian', prettyName: 'Debian GNU/Linux 12 (bookworm)', name: undefined },
      timezone: { name: 'UTC', offsetS: 0 },
      filesystems: [
        { mountPoint: '/', name: 'vda1', type: 'ext4', totalBytes: 1_000n, usedBytes: 10n },
      ],
      interfaces: [
        { name: 'lo', macAddress: undefined, addresses: [] },
        {
          name: 'eth0',
          macAddress: '52:54:00:00:00:01',
          addresses: [
            { family: 'ipv4', address: '10.0.0.2', prefix: 24 },
            { family: 'ipv6', address: 'fe80::1', prefix: 64 },
          ],
        },
      ],
    });
  });

  it('may be anything: the guest is not trusted', () => {
    const params = new Map<string, string | bigint>([
      ['hostname', 7n],
      ['fs.count', 10_000_000_000n],
      ['fs.0.mountpoint', 1n],
      ['if.count', 'many'],
    ]);
    expect(guestInfoOf(params)).toMatchObject({
      hostname: undefined,
      filesystems: [],
      interfaces: [],
    });
  });
});

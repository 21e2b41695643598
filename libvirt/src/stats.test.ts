import { describe, expect, it } from 'vitest';
import { statsOf } from './stats.ts';

const DOMAIN = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001' };

describe('statistics', () => {
  it('are read from libvirt’s names', () => {
    const stats = statsOf(
      DOMAIN,
      new Map<string, number | bigint | string>([
        ['state.state', 1],
        ['state.reason', 1],
        ['cpu.time', 12n],
        ['cpu.user', 5n],
        ['balloon.current', 1024n],
        ['balloon.maximum', 2048n],
        ['balloon.rss', 4096n],
        ['vcpu.current', 2],
        ['vcpu.maximum', 3],
        ['vcpu.0.state', 1],
        ['vcpu.0.time', 7n],
        ['vcpu.2.state', 0],
        ['net.count', 1],
        ['net.0.name', 'vnet0'],
        ['net.0.rx.bytes', 10n],
        ['net.0.tx.pkts', 11n],
        ['block.count', 1],
        ['block.0.name', 'vda'],
        ['block.0.path', '/a.qcow2'],
        ['block.0.rd.bytes', 12n],
        ['block.0.capacity', 13n],
      ]),
    );
    expect(stats).toMatchObject({
      domain: DOMAIN,
      status: { state: 'running', reason: 'booted' },
      cpu: { timeNs: 12n, userNs: 5n, systemNs: undefined },
      balloon: { currentKiB: 1024n, maximumKiB: 2048n, residentKiB: 4096n },
      vcpus: [
        { index: 0, state: 'running', timeNs: 7n },
        { index: 2, state: 'offline', timeNs: undefined },
      ],
      nets: [{ name: 'vnet0', rxBytes: 10n, rxPackets: 0n, txPackets: 11n }],
      blocks: [{ name: 'vda', path: '/a.qcow2', readBytes: 12n, capacityBytes: 13n }],
    });
  });

  it('are empty where libvirt says nothing, and do not trust its counts', () => {
    expect(statsOf(DOMAIN, new Map())).toStrictEqual({
      domain: DOMAIN,
      status: undefined,
      cpu: undefined,
      balloon: undefined,
      vcpus: [],
      nets: [],
      blocks: [],
      params: new Map(),
    });
    expect(statsOf(DOMAIN, new Map([['net.count', 4_000_000_000]])).nets).toStrictEqual([]);
  });
});

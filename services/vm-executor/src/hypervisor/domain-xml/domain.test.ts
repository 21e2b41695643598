import { join } from 'node:path';
import fc from 'fast-check';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { testPlan } from '../../testing.ts';
import type { DomainPlan } from '../domain-plan.ts';
import { ImpossibleDomainError, problemsOf } from './check.ts';
import { domainXml } from './domain.ts';
import { vncSocketOf } from './graphics.ts';
import { anyPlan, anyType, TEST_PLANS } from './test-plans.ts';

const HERE = join(import.meta.dirname, '../../..');
const owner = { instance: 'local', hostName: 'host-1' };

describe('the definition of a domain', () => {
  it.each(Object.entries(TEST_PLANS))('of kind %s', async (name, { plan, type }) => {
    // Where the repository is differs.
    const text = domainXml(plan, type, owner).replaceAll(HERE, '/factory');
    await expect(text).toMatchFileSnapshot(`fixtures/${name}.xml`);
  });

  it('is that of a plain Linux guest also when all defaults are named', () => {
    const named: DomainPlan = {
      ...testPlan(1),
      hardware: {
        ...{ firmware: 'bios', os: 'linux', devices: 'virtio', tpm: false, gpus: 0 },
        cpu: { model: 'host', pinned: false, numaNodes: 1 },
      },
      ...{ nics: [], volumes: [], filesystems: [], hostDevices: [], hostCpus: [] },
      ...{ hasScreen: false, hasAgentChannel: false },
    };
    expect(domainXml(named, 'kvm', owner)).toBe(domainXml(testPlan(1), 'kvm', owner));
  });

  it('is whole, or refused with what to change, whatever is combined', () => {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      isArray: (name) => ['disk', 'interface', 'filesystem', 'cell', 'hostdev'].includes(name),
    });
    fc.assert(
      fc.property(anyPlan, anyType, (plan, type) => {
        const text = orProblems(() => domainXml(plan, type, owner));
        if (text === undefined) return;
        expect(XMLValidator.validate(text)).toBe(true);
        const { domain } = parser.parse(text);
        const devices = domain.devices;
        const cds = plan.driversPath === undefined ? 0 : 1;
        expect(devices.disk).toHaveLength(2 + (plan.volumes?.length ?? 0) + cds);
        const targets = devices.disk.map((disk: { target: { dev: string } }) => disk.target.dev);
        expect(new Set(targets).size).toBe(targets.length);
        expect(devices.interface).toHaveLength(1 + (plan.nics?.length ?? 0));
        expect(devices.filesystem ?? []).toHaveLength(plan.filesystems?.length ?? 0);
        expect(devices.hostdev ?? []).toHaveLength(plan.hostDevices?.length ?? 0);
        const cells: readonly { memory: string }[] = domain.cpu.numa?.cell ?? [];
        const inCells = cells.reduce((sum, cell) => sum + Number(cell.memory), 0);
        expect(cells.length === 0 ? plan.memoryMiB : inCells).toBe(plan.memoryMiB);
      }),
      { numRuns: 500 },
    );
  });
});

/** What `make` gives; undefined when it refuses the plan, and says how to do better. */
function orProblems(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ImpossibleDomainError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { problem, remedy } of error.problems) {
      expect(error.message).toContain(problem);
      expect(remedy).toMatch(/^(ask|give|use|name|leave)/);
    }
    return undefined;
  }
}

describe('an impossible plan', () => {
  const nvramPath = '/nvram.fd';
  const windows = { os: 'windows' } as const;
  const cases: readonly (readonly [string, Partial<DomainPlan>, string])[] = [
    ['UEFI without a place for its variables', { hardware: { firmware: 'uefi' } }, 'nvramPath'],
    ['a TPM for Windows on a BIOS', { hardware: { ...windows, tpm: true } }, 'uefi'],
    [
      'a directory without virtio',
      {
        hardware: { devices: 'emulated' },
        filesystems: [{ path: '/a', tag: 'a', transport: 'virtiofs', readOnly: false }],
      },
      'kind block',
    ],
    [
      'a read-only volume without virtio',
      {
        hardware: { devices: 'emulated' },
        volumes: [
          { path: '/v', ...{ source: 'file', format: 'raw', serial: 'v', readOnly: true } },
        ],
      },
      'let the volume be written',
    ],
    [
      "the agent's channel without virtio",
      { hardware: { devices: 'emulated' }, hasAgentChannel: true },
      'devices virtio',
    ],
    [
      '9p for Windows',
      {
        hardware: { ...windows, firmware: 'uefi' },
        nvramPath,
        filesystems: [{ path: '/a', tag: 'a', transport: '9p', readOnly: false }],
      },
      'use virtiofs',
    ],
    ['unequal NUMA nodes', { vcpus: 3, hardware: { cpu: { numaNodes: 2 } } }, 'multiple'],
    [
      'half a huge page',
      { memoryMiB: 1536, hardware: { cpu: { hugepages: '1G' } } },
      'a multiple of 1024 MiB',
    ],
    [
      'fewer CPUs of the host than are pinned',
      { vcpus: 2, hardware: { cpu: { pinned: true } }, hostCpus: [1] },
      'fewer vCPUs',
    ],
    ['graphics cards that the host has not', { hardware: { gpus: 1 } }, 'fewer gpus'],
    ['a PCI device without its domain', { hostDevices: ['3b:00.0'] }, 'lspci'],
    ['a name of a tap that libvirt drops', { tapName: 'vnet7' }, 'vnet'],
    [
      'one MAC address for two cards',
      { nics: [{ macAddress: testPlan(1).macAddress, tapName: 'fct1' }] },
      'another',
    ],
    [
      'a serial that a disk can not carry',
      {
        volumes: [
          {
            path: '/v',
            ...{ source: 'file', format: 'raw', serial: 'a'.repeat(21), readOnly: false },
          },
        ],
      },
      'use 1 to 20',
    ],
  ];

  it.each(cases)('is refused: %s', (_what, change, remedy) => {
    const [problem, ...others] = problemsOf({ ...testPlan(1), ...change });
    expect(others).toEqual([]);
    expect(problem?.remedy).toContain(remedy);
  });

  it('is told all of its problems at once', () => {
    const plan = { ...testPlan(1), hardware: { firmware: 'uefi', gpus: 1 } } as const;
    expect(() => domainXml(plan, 'kvm', owner)).toThrow(/nvramPath.*gpus/);
  });
});

describe('the VNC socket', () => {
  it('is found in what libvirt prints of a running domain', () => {
    const printed = `<graphics type='vnc' socket='/var/lib/libvirt/qemu/domain-1-a/vnc.sock'>
      <listen type='socket' socket='/var/lib/libvirt/qemu/domain-1-a/vnc.sock'/></graphics>`;
    expect(vncSocketOf(printed)).toBe('/var/lib/libvirt/qemu/domain-1-a/vnc.sock');
    expect(vncSocketOf('<graphics type="vnc"><listen type="socket"/></graphics>')).toBeUndefined();
  });
});

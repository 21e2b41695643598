import type { VmHardware, VolumeId, VolumeMount } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { ImpossibleDomainError, problemsOf } from '../hypervisor/domain-xml/check.ts';
import { testTask } from '../testing.ts';
import { domainPlan, type HostParts, seedOf } from './planned.ts';
import { newRecord, type VmRecord } from './record.ts';

const paths = {
  diskPath: '/o/vm/disk.qcow2',
  seedPath: '/o/vm/seed.iso',
  consolePath: '/c/vm.log',
};

const { macAddress } = testTask(1).spec.network;
const taps = { [macAddress]: { tapName: 'fct0', mtuBytes: 1450 } };

function recordOf(hardware?: VmHardware): VmRecord {
  const record = newRecord(testTask(1), 0);
  return { ...record, spec: { ...record.spec, ...(hardware && { hardware }) } };
}

describe('the domain of a record', () => {
  it("has the spec's size and card, the VM's files, a screen and the agent's channel", () => {
    const { spec, vmId } = recordOf();
    expect(domainPlan(recordOf(), paths, { taps })).toEqual({
      ...{ vmId, generation: 1, vcpus: spec.vcpus, memoryMiB: spec.memoryMiB },
      ...{ macAddress, tapName: 'fct0', mtuBytes: 1450 },
      ...paths,
      ...{ hasScreen: true, hasAgentChannel: true },
    });
  });

  it.each<VmHardware>([
    { firmware: 'uefi-secure', os: 'windows', tpm: true },
    { firmware: 'bios', os: 'windows', devices: 'emulated' },
    { firmware: 'uefi', cpu: { model: 'host', numaNodes: 1 } },
  ])('is possible with %j', (hardware) => {
    expect(problemsOf(domainPlan(recordOf(hardware), paths, { taps }))).toEqual([]);
  });

  it("has the host's CD with drivers if it is Windows on virtio", () => {
    const windowsDriversPath = '/images/virtio-win.iso';
    const driversOf = (hardware: VmHardware) =>
      domainPlan(recordOf(hardware), paths, { taps, windowsDriversPath }).driversPath;
    expect(driversOf({ os: 'windows' })).toBe(windowsDriversPath);
    expect(driversOf({ os: 'windows', devices: 'emulated' })).toBeUndefined();
    expect(driversOf({ os: 'linux' })).toBeUndefined();
  });

  it("keeps UEFI's variables in the VM's folder", () => {
    const nvramPathOf = (firmware: 'uefi' | 'bios') =>
      domainPlan(recordOf({ firmware }), paths, { taps }).nvramPath;
    expect(nvramPathOf('uefi')).toBe('/o/vm/nvram.fd');
    expect(nvramPathOf('bios')).toBeUndefined();
  });
});

describe("the host's parts", () => {
  const second = { ...testTask(2).spec.network };
  const base = recordOf().spec.network.macAddress;
  const block: VolumeMount = {
    volumeId: `vol_${'0'.repeat(31)}1` as VolumeId,
    ...{ kind: 'block', tag: 'scratch', readOnly: false, leaseEpoch: 1 },
  };
  const shared: VolumeMount = {
    ...block,
    ...{ volumeId: `vol_${'0'.repeat(31)}2` as VolumeId, kind: 'directory' },
  };
  const rich: VmRecord = {
    ...recordOf({ cpu: { pinned: true }, gpus: 1 }),
    spec: {
      ...recordOf({ cpu: { pinned: true }, gpus: 1 }).spec,
      nics: [second],
      volumes: [block, { ...shared, tag: 'home' }, { ...shared, tag: 'textures', readOnly: true }],
    },
  };
  const parts: HostParts = {
    taps: {
      [base]: { tapName: 'fct0', mtuBytes: 1450 },
      [second.macAddress]: { tapName: 'fct1' },
    },
    volumePaths: { [block.volumeId]: '/v/1/disk.raw', [shared.volumeId]: '/v/2/data' },
    ...{ hostCpus: [3], hostDevices: ['0000:3b:00.0'] },
  };

  it('become taps, disks, file systems, CPUs and devices of the domain', () => {
    const plan = domainPlan(rich, paths, parts);
    expect(plan).toMatchObject({
      ...{ tapName: 'fct0', mtuBytes: 1450 },
      nics: [{ macAddress: second.macAddress, tapName: 'fct1' }],
      volumes: [{ path: '/v/1/disk.raw', source: 'file', format: 'raw', serial: 'scratch' }],
      filesystems: [
        { path: '/v/2/data', tag: 'home', transport: 'virtiofs', readOnly: false },
        { path: '/v/2/data', tag: 'textures', transport: 'virtiofs', readOnly: true },
      ],
      ...{ hostCpus: [3], hostDevices: ['0000:3b:00.0'] },
    });
    expect(problemsOf(plan)).toEqual([]);
  });

  it.each<[string, keyof HostParts]>([
    ['a card', 'taps'],
    ['a volume', 'volumePaths'],
  ])('are demanded: no guest starts without %s that it was given', (_what, missing) => {
    const { [missing]: _left, ...others } = parts;
    expect(() => domainPlan(rich, paths, others)).toThrow(ImpossibleDomainError);
  });
});

describe('the seed of a record', () => {
  it('is NoCloud, and a config drive for Windows', () => {
    expect(seedOf(recordOf()).form).toBeUndefined();
    expect(seedOf(recordOf({ os: 'windows' })).form).toBe('config-drive');
  });

  it('names what the guest mounts by itself', () => {
    const volume = { volumeId: 'vol_1' as VolumeId, readOnly: false, leaseEpoch: 1 };
    const mounted = [
      { ...volume, kind: 'directory', tag: 'a', guestPath: '/data' } as const,
      { ...volume, kind: 'block', tag: 'b', guestPath: '/disk' } as const,
      { ...volume, kind: 'block', tag: 'c' } as const,
    ];
    const record = recordOf();
    const { mounts } = seedOf({ ...record, spec: { ...record.spec, volumes: mounted } });
    expect(mounts).toEqual([
      { tag: 'a', path: '/data', type: 'virtiofs', readOnly: false },
      { tag: 'b', path: '/disk', type: 'disk', readOnly: false },
    ]);
  });
});

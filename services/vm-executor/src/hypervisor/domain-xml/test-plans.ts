import fc from 'fast-check';
import { testPlan } from '../../testing.ts';
import type { DomainPlan } from '../domain-plan.ts';
import type { DomainType } from './machine.ts';

const plain = testPlan(1);
const folder = '/overlays/vm';

/** What a Windows guest is given, as far as it needs no host's hardware. */
const windows: DomainPlan = {
  ...plain,
  ...{ vcpus: 2, memoryMiB: 512 },
  hardware: { firmware: 'uefi-secure', os: 'windows', tpm: true },
  nvramPath: `${folder}/nvram.fd`,
  driversPath: '/images/virtio-win.iso',
  ...{ hasScreen: true, hasAgentChannel: true },
};

/** A plan of each kind; each has a golden file of its name. */
export const TEST_PLANS: Readonly<
  Record<string, { readonly type: DomainType; readonly plan: DomainPlan }>
> = {
  'linux-screen-and-agent': {
    type: 'qemu',
    plan: { ...plain, hasScreen: true, hasAgentChannel: true },
  },
  'linux-uefi': {
    type: 'kvm',
    plan: { ...plain, hardware: { firmware: 'uefi' }, nvramPath: `${folder}/nvram.fd` },
  },
  'linux-emulated': { type: 'kvm', plan: { ...plain, hardware: { devices: 'emulated' } } },
  'linux-volumes': {
    type: 'kvm',
    plan: {
      ...plain,
      volumes: [
        {
          path: '/volumes/a/disk.raw',
          ...{ source: 'file', format: 'raw', serial: 'vol-a', readOnly: false },
        },
        {
          path: '/dev/vg/b',
          ...{ source: 'block', format: 'raw', serial: 'vol-b', readOnly: true },
        },
      ],
    },
  },
  'linux-filesystems': {
    type: 'qemu',
    plan: {
      ...plain,
      filesystems: [
        { path: '/volumes/c/data', tag: 'shared', transport: 'virtiofs', readOnly: false },
        { path: '/volumes/d/data', tag: 'textures', transport: '9p', readOnly: true },
      ],
    },
  },
  'linux-taps': {
    type: 'kvm',
    plan: {
      ...plain,
      ...{ tapName: 'fcta1b2c3d4-0', mtuBytes: 1450 },
      nics: [
        { macAddress: '52:54:00:00:01:01', tapName: 'fcta1b2c3d4-1', mtuBytes: 1450 },
        { macAddress: '52:54:00:00:01:02', tapName: 'fcta1b2c3d4-2' },
      ],
    },
  },
  'linux-numa-pinned-hugepages': {
    type: 'kvm',
    plan: {
      ...plain,
      ...{ vcpus: 4, memoryMiB: 4096 },
      hardware: {
        cpu: { model: 'EPYC-Rome', pinned: true, numaNodes: 2, hugepages: '1G' },
      },
      hostCpus: [2, 3, 18, 19],
      sharedCpus: [0, 1, 16, 17],
      memoryNodes: [0, 1],
    },
  },
  'linux-pinned-near-memory': {
    type: 'kvm',
    plan: {
      ...plain,
      ...{ vcpus: 2, memoryMiB: 2048 },
      hardware: { cpu: { model: 'host-model', pinned: true } },
      ...{ hostCpus: [4, 20], sharedCpus: [0, 1], memoryNodes: [1] },
    },
  },
  'linux-beside-pinned': { type: 'kvm', plan: { ...plain, sharedCpus: [0, 1, 2, 8] } },
  'linux-gpus': {
    type: 'kvm',
    plan: {
      ...plain,
      hardware: { firmware: 'uefi', gpus: 1, cpu: { hugepages: '2M' } },
      nvramPath: `${folder}/nvram.fd`,
      hostDevices: ['0000:3b:00.0', '0000:3b:00.1'],
    },
  },
  'windows-kvm': { type: 'kvm', plan: windows },
  'windows-qemu': { type: 'qemu', plan: windows },
  'windows-emulated': {
    type: 'kvm',
    plan: {
      ...plain,
      hardware: { firmware: 'bios', os: 'windows', devices: 'emulated' },
      hasScreen: true,
    },
  },
};

const macAddress = fc.integer({ min: 0, max: 255 }).map((n) => `52:54:00:00:02:${hex(n)}`);

function hex(n: number): string {
  return n.toString(16).padStart(2, '0');
}

const fields: fc.Arbitrary<Partial<Record<keyof DomainPlan, unknown>>> = fc.record(
  {
    vcpus: fc.integer({ min: 1, max: 8 }),
    memoryMiB: fc.constantFrom(128, 1000, 4096, 8192),
    tapName: fc.constantFrom('fct0', 'fct1', 'vnet0'),
    mtuBytes: fc.constantFrom(1450, 9000),
    hardware: fc.record(
      {
        firmware: fc.constantFrom('bios', 'uefi', 'uefi-secure'),
        os: fc.constantFrom('linux', 'windows'),
        devices: fc.constantFrom('virtio', 'emulated'),
        tpm: fc.boolean(),
        cpu: fc.record(
          {
            model: fc.constantFrom('host', 'EPYC-Rome', 'Skylake-Server'),
            pinned: fc.boolean(),
            numaNodes: fc.integer({ min: 1, max: 4 }),
            hugepages: fc.constantFrom('2M', '1G'),
          },
          { requiredKeys: [] },
        ),
        gpus: fc.integer({ min: 0, max: 2 }),
      },
      { requiredKeys: [] },
    ),
    nvramPath: fc.constant(`${folder}/nvram.fd`),
    driversPath: fc.constant('/images/a & b.iso'),
    hostCpus: fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 8 }),
    sharedCpus: fc.constantFrom([], [0], [0, 1, 2, 8]),
    memoryNodes: fc.constantFrom([], [0], [0, 1]),
    hostDevices: fc.subarray(['0000:3b:00.0', '0000:af:1f.7', '3b:00.0']),
    nics: fc.array(
      fc.record(
        { macAddress, tapName: fc.constantFrom('fct2', 'fct3', 'a-far-too-long-name') },
        { requiredKeys: ['macAddress', 'tapName'] },
      ),
      { maxLength: 3 },
    ),
    volumes: fc.array(
      fc.record({
        path: fc.constantFrom('/v/1', "/v/'2'", '/v/<3>'),
        source: fc.constantFrom('file', 'block'),
        format: fc.constantFrom('raw', 'qcow2'),
        serial: fc.constantFrom('one', 'two', 'three', 'with blank'),
        readOnly: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    filesystems: fc.array(
      fc.record({
        path: fc.constantFrom('/f/1', '/f/2'),
        tag: fc.constantFrom('a', 'b', 'c'),
        transport: fc.constantFrom('virtiofs', '9p'),
        readOnly: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    hasScreen: fc.boolean(),
    hasAgentChannel: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** Any combination of what a plan can have, possible or not. */
export const anyPlan: fc.Arbitrary<DomainPlan> = fields.map(
  (given) => ({ ...plain, ...given }) as DomainPlan,
);
export const anyType: fc.Arbitrary<DomainType> = fc.constantFrom('kvm', 'qemu');

import { HUGEPAGE_MIB } from '@factory/contracts';
import type { DomainPlan } from '../domain-plan.ts';
import { DISKS_MAX } from './disks.ts';
import { isPciAddress } from './hostdevs.ts';

/** Something that a plan asks for and that can't be, and what to change. */
export interface PlanProblem {
  readonly problem: string;
  readonly remedy: string;
}

/** A plan that no machine can be made from, however often it is tried. */
export class ImpossibleDomainError extends Error {
  readonly code = 'FACTORY_ERR_IMPOSSIBLE_DOMAIN';
  readonly problems: readonly PlanProblem[];
  constructor(problems: readonly PlanProblem[]) {
    super(problems.map(({ problem, remedy }) => `${problem}: ${remedy}`).join('; '));
    this.name = 'ImpossibleDomainError';
    this.problems = problems;
  }
}

/** @throws ImpossibleDomainError naming all that is wrong with the plan. */
export function checkPlan(plan: DomainPlan): void {
  const problems = problemsOf(plan);
  if (problems.length > 0) throw new ImpossibleDomainError(problems);
}

/** All that can't go together in the plan. Pure. */
export function problemsOf(plan: DomainPlan): readonly PlanProblem[] {
  return RULES.flatMap((rule) => rule(plan));
}

type Rule = (plan: DomainPlan) => readonly PlanProblem[];

/** What needs what; each of them is asked, so that a user is told everything at once. */
const RULES: readonly Rule[] = [
  firmwareRule,
  emulatedRule,
  filesystemRule,
  numaRule,
  hugepagesRule,
  pinningRule,
  memoryNodesRule,
  hostDeviceRule,
  tapRule,
  uniqueRule,
  volumeRule,
];

function when(isSo: boolean, problem: string, remedy: string): readonly PlanProblem[] {
  return isSo ? [{ problem, remedy }] : [];
}

function firmwareRule({ hardware = {}, nvramPath }: DomainPlan): readonly PlanProblem[] {
  const { firmware = 'bios', os, tpm } = hardware;
  return [
    ...when(
      firmware !== 'bios' && nvramPath === undefined,
      `firmware ${firmware} keeps variables, and there is no place for them`,
      'give the plan an nvramPath',
    ),
    // "TPM 2.0 is not supported in Legacy and CSM modes of the BIOS":
    // https://learn.microsoft.com/windows/security/hardware-security/tpm/tpm-recommendations
    ...when(
      firmware === 'bios' && os === 'windows' && tpm === true,
      'Windows uses no TPM 2.0 on a BIOS',
      'ask for firmware uefi or uefi-secure, or for no tpm',
    ),
  ];
}

/** `emulated` is for guests without virtio drivers, and these have no other form. */
function emulatedRule(plan: DomainPlan): readonly PlanProblem[] {
  if (plan.hardware?.devices !== 'emulated') return [];
  return [
    ...when(
      (plan.filesystems ?? []).length > 0,
      'volumes that are directories are virtio devices, and this machine has emulated ones',
      'ask for devices virtio, or for volumes of kind block',
    ),
    // libvirt: "readonly sata disks are not supported".
    ...when(
      (plan.volumes ?? []).some(({ readOnly }) => readOnly),
      "SATA disks can't be read-only, and this machine has emulated devices",
      'ask for devices virtio, or let the volume be written',
    ),
    ...when(
      plan.hasAgentChannel === true,
      "the guest agent's channel is a virtio device, and this machine has emulated ones",
      'ask for devices virtio, or for no agent channel',
    ),
  ];
}

const TAG_BYTES_MAX = { virtiofs: 36, '9p': 31 } as const;

function filesystemRule({ hardware, filesystems = [] }: DomainPlan): readonly PlanProblem[] {
  return filesystems.flatMap(({ tag, transport }) => [
    ...when(
      transport === '9p' && hardware?.os === 'windows',
      `Windows can't mount 9p (${tag})`,
      'use virtiofs, for which it has a driver',
    ),
    ...when(
      tag === '' || Buffer.byteLength(tag) > TAG_BYTES_MAX[transport],
      `the tag ${JSON.stringify(tag)} is not one of 1 to ${TAG_BYTES_MAX[transport]} bytes`,
      'give the volume another tag',
    ),
  ]);
}

function numaRule({ hardware, vcpus, memoryMiB }: DomainPlan): readonly PlanProblem[] {
  const { numaNodes = 1 } = hardware?.cpu ?? {};
  return [
    ...when(
      vcpus % numaNodes !== 0,
      `${vcpus} vCPUs can't be shared by ${numaNodes} NUMA nodes equally`,
      'ask for a multiple of as many vCPUs, or for fewer nodes',
    ),
    ...when(
      memoryMiB % numaNodes !== 0,
      `${memoryMiB} MiB can't be shared by ${numaNodes} NUMA nodes equally`,
      'ask for a multiple of as many MiB, or for fewer nodes',
    ),
  ];
}

function hugepagesRule({ hardware, memoryMiB }: DomainPlan): readonly PlanProblem[] {
  const { numaNodes = 1, hugepages } = hardware?.cpu ?? {};
  if (hugepages === undefined) return [];
  const partMiB = HUGEPAGE_MIB[hugepages] * numaNodes;
  return when(
    memoryMiB % partMiB !== 0,
    `${memoryMiB} MiB in ${numaNodes} NUMA nodes are not made of whole pages of ${hugepages}`,
    `ask for a multiple of ${partMiB} MiB`,
  );
}

function pinningRule({ hardware, vcpus, hostCpus = [] }: DomainPlan): readonly PlanProblem[] {
  if (hardware?.cpu?.pinned !== true) return [];
  const own = new Set(hostCpus).size;
  return when(
    own !== vcpus || hostCpus.length !== vcpus,
    `${vcpus} pinned vCPUs need as many CPUs of the host, and ${own} are given`,
    'ask for fewer vCPUs, for none pinned, or for a host with more CPUs to spare',
  );
}

function memoryNodesRule({ hardware, memoryNodes = [] }: DomainPlan): readonly PlanProblem[] {
  const { numaNodes = 1 } = hardware?.cpu ?? {};
  return when(
    memoryNodes.length > 0 && memoryNodes.length !== numaNodes,
    `${numaNodes} NUMA nodes of the guest need as many of the host, and ${memoryNodes.length} are given`,
    'ask for as many numaNodes as the host has given',
  );
}

function hostDeviceRule({ hardware, hostDevices = [] }: DomainPlan): readonly PlanProblem[] {
  const { gpus = 0 } = hardware ?? {};
  return [
    ...when(
      hostDevices.length < gpus,
      `${gpus} graphics cards are asked for, and the host has given ${hostDevices.length}`,
      'ask for fewer gpus, or for a host that has as many',
    ),
    ...hostDevices
      .filter((address) => !isPciAddress(address))
      .map((address) => ({
        problem: `${JSON.stringify(address)} is not the address of a PCI device`,
        remedy: 'name it as `lspci -D` does, like 0000:3b:00.0',
      })),
  ];
}

/** libvirt drops names that begin like those it gives itself. */
const TAP_NAME = /^(?!vnet|vif|macvtap|macvlan)[A-Za-z0-9_.-]{1,15}$/;

function tapRule(plan: DomainPlan): readonly PlanProblem[] {
  return tapsOf(plan)
    .filter((name) => !TAP_NAME.test(name))
    .map((name) => ({
      problem: `${JSON.stringify(name)} can't be a tap's name`,
      remedy: "use up to 15 letters and digits that don't begin with vnet, vif, macvtap or macvlan",
    }));
}

function tapsOf({ tapName, nics = [] }: DomainPlan): readonly string[] {
  return [tapName, ...nics.map((nic) => nic.tapName)];
}

/** What tells one device from another can't be twice in one machine. */
function uniqueRule(plan: DomainPlan): readonly PlanProblem[] {
  const { macAddress, nics = [], volumes = [], filesystems = [], hostDevices = [] } = plan;
  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ['MAC address', [macAddress, ...nics.map((nic) => nic.macAddress)]],
    ['tap', tapsOf(plan)],
    ['serial of a volume', volumes.map(({ serial }) => serial)],
    ['path of a volume', volumes.map(({ path }) => path)],
    ['tag of a volume', filesystems.map(({ tag }) => tag)],
    ['PCI device', hostDevices],
    ['CPU of the host', (plan.hostCpus ?? []).map(String)],
  ];
  return kinds.flatMap(([kind, values]) =>
    values
      .filter((value, index) => values.indexOf(value) < index)
      .map((value) => ({
        problem: `${value} is there twice as ${kind}`,
        remedy: 'leave one of them out, or give it another',
      })),
  );
}

/** What both virtio and SATA carry, and what libvirt lets through. */
const SERIAL = /^[A-Za-z0-9_.+-]{1,20}$/;
/** Beside volumes a machine has its own disk, its seed, and a CD with drivers. */
const VOLUMES_MAX = DISKS_MAX - 3;

function volumeRule({ volumes = [] }: DomainPlan): readonly PlanProblem[] {
  return [
    ...when(
      volumes.length > VOLUMES_MAX,
      `${volumes.length} volumes of kind block are more than ${VOLUMES_MAX}`,
      'ask for fewer, bigger ones',
    ),
    ...volumes
      .filter(({ serial }) => !SERIAL.test(serial))
      .map(({ serial }) => ({
        problem: `${JSON.stringify(serial)} can't be a disk's serial`,
        remedy: 'use 1 to 20 letters, digits, dots, dashes and underscores',
      })),
  ];
}

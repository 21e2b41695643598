import { dirname, join } from 'node:path';
import type { VmHardware, VmNetwork, VmSpec, VolumeMount } from '@factory/contracts';
import type {
  DomainPlan,
  PlannedFilesystem,
  PlannedNic,
  PlannedVolume,
} from '../hypervisor/domain-plan.ts';
import { ImpossibleDomainError } from '../hypervisor/domain-xml/check.ts';
import type { Seed, SeedMount, VmPaths } from '../storage/port.ts';
import type { VmRecord } from './record.ts';

/** What the host has made ready for the guest before its domain is defined. */
export interface HostParts {
  /** For each card, by its MAC address. */
  readonly taps?: Readonly<Record<string, Pick<PlannedNic, 'tapName' | 'mtuBytes'>>>;
  /** Where each volume is on this host: a folder, or a disk's file. */
  readonly volumePaths?: Readonly<Record<string, string>>;
  readonly hostCpus?: readonly number[];
  readonly hostDevices?: readonly string[];
  /** A CD with drivers for Windows. */
  readonly windowsDriversPath?: string;
  readonly sharedCpus?: readonly number[];
  readonly memoryNodes?: readonly number[];
}

/** What the guest finds on its seed, in the form that its system reads. Pure. */
export function seedOf({ vmId, spec }: VmRecord, adminPassword?: string): Seed {
  const { hostname, sshPublicKeys, userData } = spec;
  const mounts = (spec.volumes ?? []).flatMap(seedMountOf);
  const seed: Seed = {
    ...{ instanceId: vmId, hostname, sshPublicKeys, userData },
    ...(mounts.length === 0 ? {} : { mounts }),
  };
  if (spec.hardware?.os !== 'windows') return seed;
  return {
    ...seed,
    form: 'config-drive',
    ...(adminPassword === undefined ? {} : { adminPassword }),
  };
}

function seedMountOf(mount: VolumeMount): readonly SeedMount[] {
  const { kind, tag, guestPath: path, readOnly } = mount;
  if (path === undefined) return [];
  return [{ tag, path, readOnly, type: kind === 'block' ? 'disk' : 'virtiofs' }];
}

/**
 * The domain that the record's spec asks for, of the VM's files and the host's parts. Pure.
 * @throws ImpossibleDomainError when a card or a volume of the spec has no part of the host: the
 * guest must not start without what its user asked for.
 */
export function domainPlan(
  { vmId, generation, spec }: VmRecord,
  paths: VmPaths,
  parts: HostParts = {},
): DomainPlan {
  const { vcpus, memoryMiB, network, hardware } = spec;
  return {
    ...{ vmId, generation, vcpus, memoryMiB },
    ...nicOf(network, parts),
    ...paths,
    ...(hardware === undefined ? {} : { hardware }),
    // Beside the disk: it is copied, kept and removed with it.
    ...(hasUefi(hardware) ? { nvramPath: join(dirname(paths.diskPath), 'nvram.fd') } : {}),
    ...hardwareOf(parts),
    ...driversOf(hardware, parts),
    ...(spec.nics === undefined ? {} : { nics: spec.nics.map((nic) => nicOf(nic, parts)) }),
    ...(spec.volumes === undefined ? {} : plannedVolumes(spec, parts)),
    hasScreen: true,
    // A virtio device: without drivers there is nobody to answer.
    hasAgentChannel: hardware?.devices !== 'emulated',
  };
}

/** What the host has given it, as far as it has. */
function hardwareOf({ hostCpus, hostDevices, sharedCpus, memoryNodes }: HostParts) {
  return {
    ...(hostCpus === undefined ? {} : { hostCpus }),
    ...(hostDevices === undefined ? {} : { hostDevices }),
    ...(sharedCpus === undefined ? {} : { sharedCpus }),
    ...(memoryNodes === undefined ? {} : { memoryNodes }),
  };
}

/** Windows brings no driver for what is virtio's, not even for the disk that it is installed on. */
function driversOf(hardware: VmHardware | undefined, { windowsDriversPath }: HostParts) {
  const needsThem = hardware?.os === 'windows' && hardware.devices !== 'emulated';
  if (!needsThem || windowsDriversPath === undefined) return {};
  return { driversPath: windowsDriversPath };
}

function hasUefi(hardware: VmHardware | undefined): boolean {
  return hardware?.firmware !== undefined && hardware.firmware !== 'bios';
}

function nicOf({ macAddress }: VmNetwork, { taps }: HostParts): PlannedNic {
  const tap = taps?.[macAddress];
  if (tap === undefined) {
    throw impossible(`the host has no tap for the card ${macAddress}`, 'ask for one card');
  }
  return { macAddress, ...tap };
}

/** Disks and folders of the spec, where the host has them. @throws ImpossibleDomainError */
export function plannedVolumes(
  { volumes = [] }: VmSpec,
  parts: Pick<HostParts, 'volumePaths'>,
): {
  readonly volumes: readonly PlannedVolume[];
  readonly filesystems: readonly PlannedFilesystem[];
} {
  const pathOf = ({ volumeId }: VolumeMount): string => {
    const path = parts.volumePaths?.[volumeId];
    if (path !== undefined) return path;
    throw impossible(`the host has not made ${volumeId} ready`, 'leave the volume out');
  };
  const ofKind = (kind: VolumeMount['kind']) => volumes.filter((mount) => mount.kind === kind);
  return {
    volumes: ofKind('block').map((mount) => ({
      path: pathOf(mount),
      ...{ source: 'file', format: 'raw' },
      serial: mount.tag,
      readOnly: mount.readOnly,
    })),
    filesystems: ofKind('directory').map((mount) => ({
      path: pathOf(mount),
      tag: mount.tag,
      // 9p is slower, and neither Windows nor Debian's cloud kernel has it.
      transport: 'virtiofs',
      readOnly: mount.readOnly,
    })),
  };
}

function impossible(problem: string, remedy: string): ImpossibleDomainError {
  return new ImpossibleDomainError([{ problem, remedy }]);
}

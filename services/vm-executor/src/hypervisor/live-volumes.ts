import type { VmId } from '@factory/contracts';
import { isLibvirtError, type Libvirt } from '@factory/libvirt';
import { VmFailure } from '../failures.ts';
import type { PlannedFilesystem, PlannedVolume } from './domain-plan.ts';
import { freeTarget, volumeDisk } from './domain-xml/disks.ts';
import { filesystem } from './domain-xml/filesystems.ts';
import type { LibvirtLink } from './libvirt-link.ts';
import { domainRef } from './names.ts';
import { renderXml, type XmlElement } from './xml.ts';

/** A volume as a guest has it: a disk, or a folder. */
export type PlannedDevice = PlannedVolume | PlannedFilesystem;

/** What a guest that is on has beside its own disk. All throw VmFailure. */
export interface LiveVolumesPort {
  /** Files and folders that the guest's QEMU has, by their paths; none when the guest is off. */
  pluggedPaths(vmId: VmId, signal?: AbortSignal): Promise<ReadonlySet<string>>;
  /**
   * Plugs a volume into a guest that is on. One that it has is no error.
   * @throws VmFailure `CANNOT_ATTACH` when this guest can't take it while it runs.
   */
  plugVolume(vmId: VmId, device: PlannedDevice, signal?: AbortSignal): Promise<void>;
  /**
   * Asks the guest to let a volume go; only `pluggedPaths` says whether it has. One that it does not
   * have, and a guest that is off, is no error.
   */
  askToUnplug(vmId: VmId, path: string, signal?: AbortSignal): Promise<void>;
  /** Resolves when no change of the guest's devices that was begun before is under way any more. */
  awaitDevices(vmId: VmId, signal?: AbortSignal): Promise<void>;
}

/** The devices of QEMU's guests behind libvirtd. */
export function createLibvirtLiveVolumes(link: LibvirtLink): LiveVolumesPort {
  return {
    pluggedPaths: (vmId, signal) =>
      link.use(async (libvirt) => {
        const live = await liveXml(libvirt, vmId);
        return new Set(devicesIn(live ?? '').map(({ path }) => path));
      }, signal),
    plugVolume: (vmId, device, signal) =>
      link.use(async (libvirt) => {
        const live = await liveXml(libvirt, vmId);
        if (live === undefined) throw isOff();
        if (devicesIn(live).some(({ path }) => path === device.path)) return;
        const element = 'tag' in device ? folderFor(live, device) : diskFor(live, device);
        const options = { affect: 'live' } as const;
        await libvirt.devices
          .attach(domainRef(vmId), renderXml(element), options)
          .catch((error: unknown) => refuse(error));
      }, signal),
    askToUnplug: (vmId, path, signal) =>
      link.use(async (libvirt) => {
        const found = devicesIn((await liveXml(libvirt, vmId)) ?? '');
        const alias = found.find((each) => each.path === path)?.alias;
        if (alias === undefined) return;
        await libvirt.devices
          .detachAlias(domainRef(vmId), alias, { affect: 'live' })
          .catch((error: unknown) => {
            if (!isUnderWay(error)) throw error;
          });
      }, signal),
    // Changes of a domain are made one after the other; this one changes nothing.
    awaitDevices: (vmId, signal) =>
      link.use(async ({ devices }) => {
        await devices
          .detachAlias(domainRef(vmId), NO_DEVICE, { affect: 'live' })
          .catch((error: unknown) => {
            if (!isUnderWay(error)) throw error;
          });
      }, signal),
  };
}

/** An alias that no device has. */
const NO_DEVICE = 'ua-factory-none';

/** The XML of what runs; undefined when nothing does. */
async function liveXml({ domains }: Libvirt, vmId: VmId): Promise<string | undefined> {
  try {
    const { state } = await domains.getState(domainRef(vmId));
    if (state === 'shutoff' || state === 'crashed') return undefined;
    return await domains.getXml(domainRef(vmId));
  } catch (error) {
    if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
    throw error;
  }
}

interface LiveDevice {
  readonly path: string;
  /** By which libvirt tells it from others. */
  readonly alias: string;
  readonly target: string;
}

/** Disks and folders of a running domain's XML. */
export function devicesIn(domainXml: string): readonly LiveDevice[] {
  const elements = domainXml.matchAll(/<(disk|filesystem)\b[\s\S]*?<\/\1>/g);
  return Array.from(elements, ([element]) => ({
    path: unescapeXml(/<source (?:file|dev|dir)=['"]([^'"]*)/.exec(element)?.[1] ?? ''),
    alias: /<alias name=['"]([^'"]*)/.exec(element)?.[1] ?? '',
    target: /<target (?:dev|dir)=['"]([^'"]*)/.exec(element)?.[1] ?? '',
  }));
}

function unescapeXml(text: string): string {
  const plain = { lt: '<', gt: '>', quot: '"', apos: "'" };
  return Object.entries(plain)
    .reduce((before, [name, character]) => before.replaceAll(`&${name};`, character), text)
    .replaceAll('&amp;', '&');
}

function diskFor(live: string, volume: PlannedVolume): XmlElement {
  const target = freeTarget(new Set(devicesIn(live).map((each) => each.target)));
  if (target === undefined) throw cannotAttach('it has as many disks as it can have');
  return volumeDisk(volume, target);
}

function folderFor(live: string, folder: PlannedFilesystem): XmlElement {
  // virtiofsd reads and writes the guest's own memory, which is shared or not from its start on.
  if (!/<access mode=['"]shared['"]/.test(live)) throw cannotAttach(NOT_SHARED);
  return filesystem(folder);
}

/** Why a guest that has no folder can't be given one. */
export const NOT_SHARED = 'it was started without folders, and so without memory that they need';

/** Of a guest that can't be given a volume while it runs. */
export function cannotAttach(why: string, cause?: unknown): VmFailure {
  const message = `It can't be given the volume while it runs: ${why}. Stop the machine first.`;
  return new VmFailure('CANNOT_ATTACH', message, { cause });
}

/** Its guest went off meanwhile: it is looked at again. */
export function isOff(): VmFailure {
  return new VmFailure('HYPERVISOR_ERROR', 'The guest is not on.', { isTransient: true });
}

function refuse(error: unknown): never {
  if (!isLibvirtError(error)) throw error;
  if (error.code === 'OPERATION_INVALID') throw isOff();
  // virDomainPCIAddressGetNextAddr
  if (/no more available pci slots/i.test(error.message)) {
    throw cannotAttach('no place is left for another device', error);
  }
  throw error;
}

/** The guest was asked before, does not have it any more, or is off. */
function isUnderWay(error: unknown): boolean {
  if (!isLibvirtError(error)) return false;
  if (/in the process of unplug|no device found/i.test(error.message)) return true;
  return ['OPERATION_INVALID', 'DEVICE_MISSING', 'NO_DOMAIN'].includes(error.code);
}

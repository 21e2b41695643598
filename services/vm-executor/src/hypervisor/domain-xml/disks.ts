import type { DomainPlan, PlannedVolume } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/** The guest's own disk, its seed, its volumes, and a CD with drivers. */
export function disks(plan: DomainPlan, machine: Machine): readonly XmlElement[] {
  const nextTarget = createTargets();
  const bus = machine.hasVirtio ? 'virtio' : 'sata';
  return [
    ownDisk(plan, nextTarget(bus)),
    ...(machine.isWindows || !machine.hasVirtio
      ? [cdrom(plan.seedPath, nextTarget('sata'))]
      : [seedDisk(plan, nextTarget(bus))]),
    ...(plan.volumes ?? []).map((volume) => volumeDisk(volume, nextTarget(bus))),
    ...(plan.driversPath === undefined ? [] : [cdrom(plan.driversPath, nextTarget('sata'))]),
  ];
}

/**
 * An error of the storage stops the guest's CPUs; the guest does not see it, and goes on where it was
 * when the storage is back. By default QEMU stops for a full disk alone, and a guest that is told of an
 * error makes its file systems read-only. Source: https://libvirt.org/formatdomain.html (error_policy)
 */
const ON_ERROR = { error_policy: 'stop', rerror_policy: 'stop' } as const;

type Bus = 'virtio' | 'sata';

/** Gives each bus's disks their names in turn: vda, vdb..., sda, sdb... */
function createTargets(): (bus: Bus) => XmlElement {
  const used = { virtio: 0, sata: 0 };
  return (bus) => {
    const at = used[bus];
    used[bus] += 1;
    return target(bus, at);
  };
}

function target(bus: Bus, at: number): XmlElement {
  const letter = String.fromCharCode('a'.charCodeAt(0) + at);
  return xml('target', { dev: `${bus === 'virtio' ? 'vd' : 'sd'}${letter}`, bus });
}

/** The first name that no disk of a guest has yet; undefined when there is none. */
export function freeTarget(taken: ReadonlySet<string>): XmlElement | undefined {
  const letters = Array.from({ length: DISKS_MAX }, (_, at) => at);
  const at = letters.find((each) => !taken.has(`vd${String.fromCharCode(97 + each)}`));
  return at === undefined ? undefined : target('virtio', at);
}

/** Of each bus; a letter each. Far beyond the volumes that a machine may have. */
export const DISKS_MAX = 26;

function ownDisk({ diskPath }: DomainPlan, target: XmlElement): XmlElement {
  return xml(
    'disk',
    { type: 'file', device: 'disk' },
    xml('driver', { name: 'qemu', type: 'qcow2', ...ON_ERROR, discard: 'unmap' }),
    xml('source', { file: diskPath }),
    target,
  );
}

function seedDisk({ seedPath }: DomainPlan, target: XmlElement): XmlElement {
  return xml(
    'disk',
    { type: 'file', device: 'disk' },
    xml('driver', { name: 'qemu', type: 'raw' }),
    xml('source', { file: seedPath }),
    target,
    xml('readonly'),
  );
}

/**
 * Windows reads a config drive from a CD, and can before it has any driver; and a SATA disk that is
 * no CD can't be read-only.
 */
function cdrom(path: string, target: XmlElement): XmlElement {
  return xml(
    'disk',
    { type: 'file', device: 'cdrom' },
    xml('driver', { name: 'qemu', type: 'raw' }),
    xml('source', { file: path }),
    target,
    xml('readonly'),
  );
}

/**
 * Past the caches of host and GlusterFS (O_DIRECT): a write that they had taken and could not bring to the
 * disk would be lost, and QEMU, told so by fsync, fails every later flush until it is started anew.
 * Source: handle_aiocb_flush (page_cache_inconsistent) in QEMU's block/file-posix.c
 */
const UNCACHED = { cache: 'none' } as const;

/** A disk beside the guest's own, also as it is plugged into one that runs. */
export function volumeDisk(volume: PlannedVolume, target: XmlElement): XmlElement {
  const { path, source, format, serial, readOnly } = volume;
  return xml(
    'disk',
    { type: source, device: 'disk' },
    xml('driver', { name: 'qemu', type: format, ...UNCACHED, ...ON_ERROR, discard: 'unmap' }),
    xml('source', source === 'file' ? { file: path } : { dev: path }),
    target,
    ...(readOnly ? [xml('readonly')] : []),
    xml('serial', {}, serial),
  );
}

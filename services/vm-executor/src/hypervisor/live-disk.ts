import type { VmId } from '@factory/contracts';
import { isLibvirtError, type Libvirt, MonitorError } from '@factory/libvirt';
import { VmFailure } from '../failures.ts';
import type { LibvirtLink } from './libvirt-link.ts';
import { domainRef } from './names.ts';
import { renderXml, xml } from './xml.ts';

/** How a copy of a running guest's disk stands. */
export type DiskCopy =
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly percent: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

/** The own disk of a guest that is on; `diskPath` is its file. All throw VmFailure. */
export interface LiveDiskPort {
  /** Keeps the disk as it is at this moment, under a name inside its own file; the guest goes on. */
  snapshotLiveDisk(vmId: VmId, diskPath: string, tag: string, signal?: AbortSignal): Promise<void>;
  /** Gives the room of a snapshot back. One that is not there is no error. */
  deleteLiveSnapshot(
    vmId: VmId,
    diskPath: string,
    tag: string,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Begins to copy the disk, whole and as it is at this moment, to a new file. */
  beginDiskCopy(vmId: VmId, toPath: string, signal?: AbortSignal): Promise<void>;
  /** `none` also when a copy had ended before the hypervisor's service was started anew. */
  diskCopy(vmId: VmId, signal?: AbortSignal): Promise<DiskCopy>;
  /** Ends a copy. None is no error. */
  endDiskCopy(vmId: VmId, signal?: AbortSignal): Promise<void>;
}

/** The disks of QEMU's guests behind libvirtd. */
export function createLibvirtLiveDisk(link: LibvirtLink): LiveDiskPort {
  const inside = (
    vmId: VmId,
    diskPath: string,
    command: { readonly execute: string; readonly name: string },
    signal: AbortSignal | undefined,
  ): Promise<void> =>
    link.use(async (libvirt) => {
      const { execute, name } = command;
      const device = await nodeOf(libvirt, vmId, diskPath);
      await libvirt.monitor.command(domainRef(vmId), { execute, arguments: { device, name } });
    }, signal);
  return {
    // libvirt's own internal snapshots hold the guest's memory as well, and are refused with UEFI.
    async snapshotLiveDisk(vmId, diskPath, name, signal) {
      await inside(vmId, diskPath, { execute: 'blockdev-snapshot-internal-sync', name }, signal);
    },
    async deleteLiveSnapshot(vmId, diskPath, name, signal) {
      const execute = 'blockdev-snapshot-delete-internal-sync';
      await inside(vmId, diskPath, { execute, name }, signal).catch((error: unknown) => {
        const isGone =
          error instanceof MonitorError && /does not (exist|have)/i.test(error.message);
        if (!isGone) throw error;
      });
    },
    beginDiskCopy: (vmId, toPath, signal) =>
      link.use(async ({ domains, jobs }) => {
        const live = await domains.getXml(domainRef(vmId));
        await jobs.beginBackup(domainRef(vmId), backupXml(ownTarget(live), toPath));
      }, signal),
    diskCopy: (vmId, signal) => link.use((libvirt) => copyOf(libvirt, vmId), signal),
    endDiskCopy: (vmId, signal) =>
      link.use(async ({ jobs }) => {
        await jobs.abort(domainRef(vmId)).catch((error: unknown) => {
          const isNone = isLibvirtError(error, 'OPERATION_INVALID');
          if (!isNone && !isLibvirtError(error, 'NO_DOMAIN')) throw error;
        });
        // Forgotten at this asking: the next copy is not taken for this one.
        await jobs.stats(domainRef(vmId), { completed: true }).catch(() => undefined);
      }, signal),
  };
}

/** QEMU's name of the node whose file this is. */
async function nodeOf({ monitor }: Libvirt, vmId: VmId, diskPath: string): Promise<string> {
  const blocks = await monitor.command(domainRef(vmId), { execute: 'query-block' });
  const found = (Array.isArray(blocks) ? blocks : [])
    .map((block) => Object(Object(block).inserted))
    .find((inserted) => inserted.file === diskPath);
  if (typeof found?.['node-name'] === 'string') return found['node-name'];
  throw new VmFailure('HYPERVISOR_ERROR', `QEMU has no disk ${diskPath}.`);
}

/** The target of the first disk: a machine's own comes before all others (domain-xml/disks.ts). */
function ownTarget(domainXml: string): string {
  const target = /<disk\b[^>]*device=['"]disk['"][\s\S]*?<target dev=['"](\w+)['"]/.exec(domainXml);
  if (target?.[1] !== undefined) return target[1];
  throw new VmFailure('HYPERVISOR_ERROR', 'The domain has no disk.');
}

function backupXml(target: string, toPath: string): string {
  const disk = xml(
    'disk',
    { name: target, type: 'file' },
    xml('target', { file: toPath }),
    xml('driver', { type: 'qcow2' }),
  );
  return renderXml(xml('domainbackup', { mode: 'push' }, xml('disks', {}, disk)));
}

async function copyOf({ jobs }: Libvirt, vmId: VmId): Promise<DiskCopy> {
  const ref = domainRef(vmId);
  const current = await jobs.stats(ref);
  if (current.operation === 'backup' && current.type !== 'none') {
    const total = Number(current.diskTotalBytes ?? 0n);
    const done = Number(current.diskProcessedBytes ?? 0n);
    return { kind: 'running', percent: total === 0 ? 0 : Math.floor((done * 100) / total) };
  }
  const ended = await jobs.stats(ref, { completed: true, keep: true });
  if (ended.operation !== 'backup') return { kind: 'none' };
  if (ended.type === 'completed' && ended.success !== false) return { kind: 'done' };
  return { kind: 'failed', message: ended.errorMessage ?? 'QEMU says no more' };
}

import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import type { SimulatedFiles, SimulatedHost } from '../hypervisor/simulated-host.ts';
import type { DiskContents } from './disk-contents.ts';

/** The contents of the disks of a simulated host: each is one text. */
export function createMemoryDiskContents(host: SimulatedHost): DiskContents {
  const use = (vmId: VmId, what: string): SimulatedFiles => {
    host.useStorage(what);
    const folder = host.folders.get(vmId);
    if (folder?.hasDisk !== true) throw new VmFailure('STORAGE_UNAVAILABLE', 'there is no disk');
    return folder;
  };
  const useClosed = (vmId: VmId, what: string): SimulatedFiles => {
    if (host.domains.get(vmId)?.on === true) {
      throw new VmFailure('STORAGE_UNAVAILABLE', 'a running guest has the disk open');
    }
    return use(vmId, what);
  };
  return {
    async listDiskSnapshots(vmId) {
      const { snapshots } = use(vmId, 'looking for snapshots');
      return Array.from(snapshots ?? [], ([tag, { createdAtMs }]) => ({ tag, createdAtMs }));
    },
    async snapshotDisk(vmId, tag) {
      useClosed(vmId, 'making the snapshot');
      host.snapshotDisk(vmId, tag);
    },
    async revertDisk(vmId, tag) {
      const folder = useClosed(vmId, 'going back to the snapshot');
      const kept = folder.snapshots?.get(tag);
      if (kept === undefined) throw new VmFailure('HYPERVISOR_ERROR', `no snapshot ${tag}`);
      folder.content = kept.content;
    },
    async deleteDiskSnapshot(vmId, tag) {
      useClosed(vmId, 'deleting the snapshot').snapshots?.delete(tag);
    },
    keepNvram: async () => undefined,
    revertNvram: async () => undefined,
    forgetNvram: async () => undefined,
    imageDraftPath: (vmId, operationId) => `/simulated/${vmId}/image.${operationId}.partial`,
    async draftImage(vmId, operationId, onProgress) {
      const folder = useClosed(vmId, 'copying the disk');
      onProgress(50);
      await host.call('diskCopyMs');
      folder.drafts = new Map([...(folder.drafts ?? []), [operationId, folder.content ?? '']]);
    },
    liveCopyPath: (vmId, operationId) => `/simulated/${vmId}/image.${operationId}.live.partial`,
    async keepLiveCopy(vmId, operationId) {
      const folder = use(vmId, 'keeping the copy');
      const copy = folder.liveCopies?.get(operationId);
      if (copy === undefined) throw new VmFailure('STORAGE_UNAVAILABLE', 'there is no copy');
      folder.liveCopies?.delete(operationId);
      folder.drafts = new Map([...(folder.drafts ?? []), [operationId, copy]]);
    },
    async imageDraft(vmId, operationId) {
      const { drafts, liveCopies } = use(vmId, 'looking for the copy');
      if (drafts?.has(operationId)) return 'whole';
      return liveCopies?.has(operationId) ? 'begun' : 'none';
    },
    async removeImageDraft(vmId, operationId) {
      host.folders.get(vmId)?.drafts?.delete(operationId);
      host.folders.get(vmId)?.liveCopies?.delete(operationId);
    },
  };
}

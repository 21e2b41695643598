import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import type { SimulatedFiles, SimulatedHost } from '../hypervisor/simulated-host.ts';
import { missingImageMessage } from '../images/image-folder.ts';
import { createMemoryDiskContents } from './disk-contents-memory.ts';
import type { VmStorage } from './port.ts';

/** The files of a simulated host. */
export function createMemoryStorage(host: SimulatedHost): VmStorage {
  const folderOf = (vmId: VmId) => {
    const folder: SimulatedFiles = host.folders.get(vmId) ?? {
      record: undefined,
      durableRecord: undefined,
      hasDisk: false,
      hasSeed: false,
    };
    host.folders.set(vmId, folder);
    return folder;
  };
  const findImage: VmStorage['findImage'] = async ({ name }) => {
    const all = [...host.images, ...host.published.values()];
    const image = all.find((each) => each.name === name);
    if (image === undefined) throw new VmFailure('IMAGE_MISSING', missingImageMessage(name));
    return image;
  };

  return {
    ...createMemoryDiskContents(host),
    prepare: async () => undefined,
    findImage,
    async readVm(vmId) {
      host.useStorage('reading the record');
      const folder = host.folders.get(vmId);
      return { record: parsed(folder?.record), holdsData: folder?.hasDisk ?? false };
    },
    async setRecordAside(vmId) {
      const folder = folderOf(vmId);
      folder.record = undefined;
      folder.durableRecord = undefined;
    },
    async writeRecord(record, { durable }) {
      host.useStorage('writing the record');
      const folder = folderOf(record.vmId);
      folder.record = JSON.stringify(record);
      if (durable) folder.durableRecord = folder.record;
    },
    listVms: async () => [...host.folders.keys()],
    async writeLease(lease) {
      host.leases.set(lease.vmId, lease);
    },
    async removeLease(vmId) {
      host.leases.delete(vmId);
    },
    listLeases: async () => [...host.leases.keys()],
    async hasDisk(vmId) {
      host.useStorage('looking for the disk');
      return host.folders.get(vmId)?.hasDisk ?? false;
    },
    async createDisk(vmId, image, sizeGiB) {
      host.useStorage('making the disk');
      if (host.folders.get(vmId)?.hasDisk) return;
      await findImage(image);
      host.mayFail('making the disk');
      folderOf(vmId).hasDisk = true;
      folderOf(vmId).disk = { image: image.name, sizeGiB };
    },
    async createNewDisk(vmId, image, sizeGiB) {
      host.useStorage('making the new disk');
      await findImage(image);
      host.mayFail('making the new disk');
      folderOf(vmId).newDisk = { image: image.name, sizeGiB };
    },
    async useNewDisk(vmId) {
      host.useStorage('using the new disk');
      const folder = folderOf(vmId);
      if (folder.newDisk !== undefined) folder.disk = folder.newDisk;
      delete folder.newDisk;
    },
    async dropNewDisk(vmId) {
      host.useStorage('removing the new disk');
      delete folderOf(vmId).newDisk;
    },
    async growDisk(vmId, sizeGiB) {
      host.useStorage('growing the disk');
      const { disk } = folderOf(vmId);
      if (disk === undefined) throw new VmFailure('STORAGE_UNAVAILABLE', 'no disk (simulated)');
      host.mayFail('growing the disk');
      folderOf(vmId).disk = { ...disk, sizeGiB: Math.max(disk.sizeGiB, sizeGiB) };
    },
    async writeSeed(vmId) {
      host.useStorage('writing the seed');
      folderOf(vmId).hasSeed = true;
    },
    async removeVm(vmId) {
      host.useStorage('removing the files');
      host.folders.delete(vmId);
      host.consoles.delete(vmId);
    },
    paths: (vmId) => ({
      diskPath: `/simulated/${vmId}/disk.qcow2`,
      seedPath: `/simulated/${vmId}/seed.iso`,
      consolePath: `/simulated/${vmId}.log`,
    }),
    consoleSize: async (vmId) => host.consoles.get(vmId)?.length ?? 0,
    async readConsole(vmId, fromByte, maxBytes) {
      const log = host.consoles.get(vmId) ?? '';
      const start = fromByte > log.length ? 0 : fromByte;
      const text = log.slice(start, start + maxBytes);
      return { text, nextByte: start + text.length };
    },
    watchConsole(vmId, listener) {
      const listeners = host.consoleListeners.get(vmId) ?? new Set();
      listeners.add(listener);
      host.consoleListeners.set(vmId, listeners);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) host.consoleListeners.delete(vmId);
      };
    },
    close: async () => undefined,
  };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // A spoilt file: as good as none, as with real files.
    return undefined;
  }
}

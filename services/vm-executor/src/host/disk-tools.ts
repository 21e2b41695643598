import { writeFileAtomic } from '@factory/runtime';
import type { DiskTools } from '../storage/disk-tools.ts';
import { noCloudImage } from './no-cloud.ts';
import { qcow2Overlay } from './qcow2-overlay.ts';

/**
 * Disks and seeds as QEMU reads them. Not synced: after a power cut both are made again from the
 * record, and a disk without a guest's writes is worth nothing.
 */
export const qemuDiskTools: DiskTools = {
  async createOverlay({ path, basePath, sizeBytes }) {
    await writeFileAtomic(path, qcow2Overlay({ basePath, sizeBytes }), { fsync: false });
  },
  async writeSeed(path, seed) {
    // User-data may hold secrets: only for the user to whom libvirt gives the file.
    await writeFileAtomic(path, noCloudImage(seed), { fsync: false });
  },
};

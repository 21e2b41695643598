import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, removeCutOffWrites } from '@factory/runtime';

/** Folders of a host in which small files are written. */
const FOLDERS = ['.', 'leases', 'volume-leases', 'hardware'];

/** Removes what executors were writing when they were killed; before this one writes anything. */
export async function removeCutOffWritesOn(hostDir: string): Promise<void> {
  const overlays = join(hostDir, 'overlays');
  const vmIds = await readdir(overlays).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  });
  const ofHost = FOLDERS.map((folder) => join(hostDir, folder));
  const ofVms = vmIds.map((vmId) => join(overlays, vmId));
  for (const folder of [...ofHost, ...ofVms]) await removeCutOffWrites(folder);
}

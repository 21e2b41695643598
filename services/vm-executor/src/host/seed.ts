import { writeFileAtomic } from '@factory/runtime';
import type { Seed } from '../storage/port.ts';
import { configDriveFiles } from './config-drive.ts';
import { isoImage } from './iso-image.ts';
import { noCloudFiles } from './no-cloud.ts';

/** The labels by which guests know a seed: cloud-init and the micro image, and cloudbase-init. */
const LABELS = { 'no-cloud': 'cidata', 'config-drive': 'config-2' } as const;

/** The bytes of the seed disk, in the form that the guest reads. Pure. */
export function seedImage(seed: Seed): Uint8Array {
  const form = seed.form ?? 'no-cloud';
  const files = form === 'no-cloud' ? noCloudFiles(seed) : configDriveFiles(seed);
  return isoImage(LABELS[form], files);
}

/**
 * Writes the seed disk. It is made again from the record whenever it is missing, so not synced. Read
 * by QEMU's own user: libvirt gives it the file for as long as the guest runs, which is enough where
 * a password is in it.
 */
export async function writeSeedFile(path: string, seed: Seed): Promise<void> {
  const mode = seed.adminPassword === undefined ? 0o644 : 0o600;
  await writeFileAtomic(path, seedImage(seed), { mode, fsync: false });
}

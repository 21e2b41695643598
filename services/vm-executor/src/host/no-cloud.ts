import type { Seed } from '../storage/port.ts';
import type { IsoFile } from './iso-image.ts';
import { mountFiles } from './seed-mounts.ts';

/**
 * The files of a NoCloud seed: identity and keys in `meta-data`, the user's own in `user-data`.
 * Both are YAML, of which JSON strings are a part, so nothing in them can break out. Pure.
 * Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
 */
export function noCloudFiles(seed: Seed): readonly IsoFile[] {
  const keys = seed.sshPublicKeys.map((key) => `  - ${JSON.stringify(key)}\n`).join('');
  const metaData =
    `instance-id: ${JSON.stringify(seed.instanceId)}\n` +
    `local-hostname: ${JSON.stringify(seed.hostname)}\n` +
    (keys === '' ? '' : `public-keys:\n${keys}`);
  // cloud-init takes an empty user-data for none only if it says what it is.
  const userData = seed.userData === '' ? '#cloud-config\n{}\n' : seed.userData;
  return [
    { name: 'meta-data', content: Buffer.from(metaData) },
    { name: 'user-data', content: Buffer.from(userData) },
    ...mountFiles(seed.mounts ?? []),
  ];
}

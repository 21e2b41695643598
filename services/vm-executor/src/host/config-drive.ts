import type { Seed } from '../storage/port.ts';
import type { IsoFile } from './iso-image.ts';

/**
 * The files of a config drive, which cloudbase-init (and cloud-init) read: identity, keys and the
 * administrator's password in `meta_data.json`, the user's own in `user_data`, which is left out when
 * there is none, as cloudbase-init takes an empty one for a broken script. Pure.
 * Source: https://cloudbase-init.readthedocs.io/en/latest/services.html#openstack-configuration-drive
 */
export function configDriveFiles(seed: Seed): readonly IsoFile[] {
  const { instanceId, hostname, sshPublicKeys, userData, adminPassword } = seed;
  const keys = sshPublicKeys.map((key, index) => [`key-${index}`, key] as const);
  const metaData = {
    uuid: instanceId,
    name: hostname,
    hostname,
    launch_index: 0,
    public_keys: Object.fromEntries(keys),
    ...(adminPassword === undefined ? {} : { admin_pass: adminPassword }),
  };
  const file = (name: string, content: string): IsoFile => ({
    name: `openstack/latest/${name}`,
    content: Buffer.from(content),
  });
  return [
    file('meta_data.json', JSON.stringify(metaData)),
    ...(userData === '' ? [] : [file('user_data', userData)]),
  ];
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import {
  GLUSTER_ADDRESS,
  type GlusterPlace,
  startGluster,
  stopGluster,
} from '../../cli/src/supervisor/gluster.ts';
import type { Host } from './host.ts';

const MOUNT_TIMEOUT_MS = 60_000;

/** A GlusterFS beside the hosts, which each of them mounts by a client of its own. */
export interface SharedStorage {
  /** Gives the folder of volumes as the host sees it. */
  mountOn(host: Host): Promise<string>;
  close(): Promise<void>;
}

/** Starts it, with an empty folder of volumes; needs root. */
export async function openStorage(directory: string): Promise<SharedStorage> {
  const place: GlusterPlace = {
    directory: join(directory, 'gluster'),
    namespace: `two-hosts-${process.pid}`,
    mountPoint: join(directory, 'shared'),
    clock: systemClock,
  };
  await startGluster(place);
  const volumes = join(place.mountPoint, 'volumes');
  await mkdir(volumes);
  await writeFile(join(volumes, '.factory-volumes'), '');
  return {
    async mountOn(host) {
      const mountPoint = join(host.folder, 'shared');
      await host.run('mkdir', '-p', mountPoint);
      await host.runIn(
        place.namespace,
        ...['glusterfs', '--process-name=fuse', `--volfile-server=${GLUSTER_ADDRESS}`],
        ...['--volfile-id=/factory', `--log-file=${join(host.folder, 'gluster.log')}`, mountPoint],
      );
      const folder = join(mountPoint, 'volumes');
      const isThere = () => host.run('ls', join(folder, '.factory-volumes')).catch(() => undefined);
      await waitFor(systemClock, `the mount of ${host.name}`, MOUNT_TIMEOUT_MS, isThere);
      return folder;
    },
    close: () => stopGluster(place),
  };
}

import { isAbsolute, join, normalize } from 'node:path';
import type { Resource, Volume } from '../../../../protocol/index.ts';
import { LaunchError } from '../../containerizer.ts';
import type { Mount } from '../../launcher/surroundings.ts';
import type { ContainerRecord } from '../isolator.ts';

/** Where a container with a root file system of its own finds its sandbox; Mesos' default. */
export const SANDBOX_IN_ROOTFS = '/mnt/mesos/sandbox';

/** What the places of volumes follow from. */
export interface VolumePlaces {
  readonly container: ContainerRecord;
  readonly hasRootfs: boolean;
  /** Sandbox of the container that this one is nested in. */
  readonly parentSandbox: string | undefined;
  /** Where a persistent volume is on this host. */
  readonly volumePath: (volume: Resource) => string;
}

/** A mount for each volume of the container, and a directory of the host that must be there. */
export interface VolumeMounts {
  readonly mounts: readonly Mount[];
  readonly directories: readonly string[];
}

/**
 * What the volumes of a container are mounted from and where: paths of the host, directories in the
 * sandbox of the container or its parent, and persistent volumes. Pure.
 * @throws LaunchError for volumes that this agent can't have.
 */
export function volumeMounts(places: VolumePlaces): VolumeMounts {
  const { container, hasRootfs, volumePath } = places;
  const directories: string[] = [];
  const mounts = (container.container?.volumes ?? []).map((volume): Mount => {
    const { source, isOwn } = volumeSource(volume, places);
    if (isOwn) directories.push(source);
    return {
      ...{ source, target: volumeTarget(volume.container_path, places), type: 'bind' },
      isReadOnly: volume.mode === 'RO',
      ...(hasRootfs || !isAbsolute(volume.container_path) ? { create: 'directory' } : {}),
    };
  });
  // In the sandbox a persistent volume is a link to its place on the host, which has to be there: in
  // a root file system of its own it is mounted there, and one that may only be read onto itself.
  const persistent = container.resources
    .filter(({ disk }) => disk?.persistence !== undefined && disk.volume !== undefined)
    .map((resource) => ({ path: volumePath(resource), mode: resource.disk?.volume?.mode }))
    .filter(({ mode }) => hasRootfs || mode === 'RO')
    .map(({ path, mode }): Mount => {
      const isReadOnly = mode === 'RO';
      return { source: path, target: path, type: 'bind', isReadOnly, create: 'directory' };
    });
  return { mounts: [...mounts, ...persistent], directories };
}

function volumeSource(
  { source, host_path: hostPath }: Volume,
  { container, parentSandbox }: VolumePlaces,
): { readonly source: string; readonly isOwn: boolean } {
  const inSandbox = (sandbox: string, path: string) => {
    const relative = normalize(path);
    if (isAbsolute(relative) || relative.startsWith('..')) {
      throw new LaunchError(`the path '${path}' of a volume is not inside the sandbox`);
    }
    return { source: join(sandbox, relative), isOwn: true };
  };
  switch (source?.type) {
    case undefined:
    case 'UNKNOWN':
      if (hostPath === undefined)
        throw new LaunchError('a volume has neither host_path nor source');
      if (isAbsolute(hostPath)) return { source: hostPath, isOwn: false };
      return inSandbox(container.directory, hostPath);
    case 'HOST_PATH': {
      const path = source.host_path?.path ?? '';
      if (!isAbsolute(path)) throw new LaunchError(`the host path '${path}' is not absolute`);
      return { source: path, isOwn: false };
    }
    case 'SANDBOX_PATH': {
      const { type, path = '' } = source.sandbox_path ?? {};
      if (type !== 'PARENT') return inSandbox(container.directory, path);
      if (parentSandbox === undefined) {
        throw new LaunchError('a container that is not nested has no sandbox of a parent');
      }
      return inSandbox(parentSandbox, path);
    }
    default:
      throw new LaunchError(`volumes of type ${source?.type} are not supported`);
  }
}

function volumeTarget(path: string, { container, hasRootfs }: VolumePlaces): string {
  if (isAbsolute(path)) return normalize(path);
  const relative = normalize(path);
  if (relative.startsWith('..')) {
    throw new LaunchError(`the container path '${path}' of a volume leads out of the sandbox`);
  }
  return join(hasRootfs ? SANDBOX_IN_ROOTFS : container.directory, relative);
}

import { chown, lstat, mkdir, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { hasErrorCode } from '@factory/runtime';
import { type Resource, reservationRole } from '../../protocol/index.ts';

/** The directories of persistent volumes, and the links to them in sandboxes. */
export interface VolumeDirectories {
  /** Makes the volume's directory; one that is there stays as it is. */
  create(volume: Resource): Promise<void>;
  /** Removes the volume with all it holds; one that is not there is no error. */
  remove(volume: Resource): Promise<void>;
  /**
   * Makes the volume appear in a sandbox at its `container_path`, for the sandbox's owner.
   * @param isShared somebody else uses it already: its owner stays.
   * @throws VolumeError when it can't be.
   */
  link(volume: Resource, sandbox: string, isShared: boolean): Promise<void>;
  /** Takes the volume out of a sandbox again; what else is in its place stays. */
  unlink(volume: Resource, sandbox: string): Promise<void>;
}

/** A persistent volume can't be made, removed or given to a container. */
export class VolumeError extends Error {
  readonly code = 'MESOS_ERR_VOLUME';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
  }
}

/**
 * Where a persistent volume lies, as Mesos has it: below the agent's work directory, below the root
 * of a PATH disk, or the root of a MOUNT disk itself. Pure.
 */
export function volumePath(workDir: string, volume: Resource): string {
  const { source, persistence } = volume.disk ?? {};
  const root = source?.mount?.root ?? source?.path?.root ?? '';
  const base = isAbsolute(root) ? root : join(workDir, root);
  if (source?.type === 'MOUNT') return base;
  // Roles may hold slashes and never spaces: so sub-roles can't be taken for volumes.
  const role = reservationRole(volume).replaceAll('/', ' ');
  return join(base, 'volumes', 'roles', role, persistence?.id ?? '');
}

/** Volumes on the file systems of this machine. */
export function createVolumeDirectories(workDir: string): VolumeDirectories {
  return {
    async create(volume) {
      const path = volumePath(workDir, volume);
      if (volume.disk?.source?.type === 'MOUNT') await expectDirectory(path);
      else await mkdir(path, { recursive: true });
    },
    async remove(volume) {
      const path = volumePath(workDir, volume);
      if (volume.disk?.source?.type !== 'MOUNT') {
        await rm(path, { recursive: true, force: true });
        return;
      }
      for (const name of await readdir(path)) {
        await rm(join(path, name), { recursive: true, force: true });
      }
    },
    async link(volume, sandbox, isShared) {
      const path = volumePath(workDir, volume);
      const place = placeIn(sandbox, volume.disk?.volume?.container_path ?? '');
      await mkdir(dirname(place), { recursive: true, mode: 0o750 });
      await expectDirectory(path);
      if (!isShared) await giveTo(path, sandbox);
      await linkOnce(path, place);
    },
    async unlink(volume, sandbox) {
      const place = placeIn(sandbox, volume.disk?.volume?.container_path ?? '');
      const target = await readlink(place).catch(() => undefined);
      if (target === volumePath(workDir, volume)) await rm(place, { force: true });
    },
  };
}

async function expectDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new VolumeError(`can't use the volume at ${path}: ${String(cause)}`, { cause });
  });
  if (!found.isDirectory()) throw new VolumeError(`${path} is no directory`);
}

/** Without containers of their own, executors see the host's paths: only the sandbox is theirs. */
function placeIn(sandbox: string, containerPath: string): string {
  const relative = normalize(containerPath);
  const isInside =
    containerPath !== '' && !isAbsolute(relative) && relative !== '.' && !relative.startsWith('..');
  if (!isInside) {
    throw new VolumeError(`the container path '${containerPath}' is not inside the sandbox`);
  }
  return join(sandbox, relative);
}

async function giveTo(path: string, sandbox: string): Promise<void> {
  const [volume, owner] = await Promise.all([stat(path), stat(sandbox)]);
  if (volume.uid === owner.uid && volume.gid === owner.gid) return;
  await chown(path, owner.uid, owner.gid);
}

async function linkOnce(path: string, place: string): Promise<void> {
  try {
    await symlink(path, place);
  } catch (cause) {
    if (!hasErrorCode(cause, 'EEXIST')) throw cause;
    const isLink = (await lstat(place)).isSymbolicLink();
    if (isLink && (await readlink(place)) === path) return;
    throw new VolumeError(`${place} is there already, and is not the volume`, { cause });
  }
}

/** Volumes that only a test can see: paths of those that exist, and links by place. */
export interface MemoryVolumes extends VolumeDirectories {
  readonly paths: Set<string>;
  readonly links: Map<string, string>;
}

/** Volumes without a file system, for simulated agents. */
export function createMemoryVolumes(workDir: string): MemoryVolumes {
  const paths = new Set<string>();
  const links = new Map<string, string>();
  return {
    paths,
    links,
    async create(volume) {
      paths.add(volumePath(workDir, volume));
    },
    async remove(volume) {
      paths.delete(volumePath(workDir, volume));
    },
    async link(volume, sandbox) {
      const path = volumePath(workDir, volume);
      if (!paths.has(path)) throw new VolumeError(`can't use the volume at ${path}`);
      links.set(placeIn(sandbox, volume.disk?.volume?.container_path ?? ''), path);
    },
    async unlink(volume, sandbox) {
      const place = placeIn(sandbox, volume.disk?.volume?.container_path ?? '');
      if (links.get(place) === volumePath(workDir, volume)) links.delete(place);
    },
  };
}

import { access, mkdir, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Image, Resource, Secret } from '../../../../protocol/index.ts';
import { LaunchError } from '../../containerizer.ts';
import { parseDockerConfig, type RegistryCredentials } from '../../images/docker-config.ts';
import { ImageError, type ProvidedImage } from '../../images/image.ts';
import type { ImageStore } from '../../images/image-store.ts';
import { copyLayers } from '../../images/layer.ts';
import type { Mount, Surroundings } from '../../launcher/surroundings.ts';
import { type ContainerRecord, type Isolator, isNested } from '../isolator.ts';
import { SANDBOX_IN_ROOTFS, volumeMounts } from './volumes.ts';

/** What the kernel can do here. */
export interface FilesystemSupport {
  readonly mounts: boolean;
  readonly overlay: boolean;
}

/** What the filesystem isolator is made of. */
export interface FilesystemIsolatorOptions {
  readonly support: FilesystemSupport;
  /** `undefined`: no --image_providers. */
  readonly images: ImageStore | undefined;
  /** Runtime directory of a container. */
  readonly runtimeOf: (key: string) => string;
  readonly volumePath: (volume: Resource) => string;
  readonly recordOf: (key: string) => Promise<ContainerRecord>;
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const HOST_FILES = ['/etc/resolv.conf', '/etc/hosts'];

/**
 * `filesystem/linux`: root file systems from images, and volumes. Everything is mounted in a
 * namespace of the container and goes away with it; without such namespaces an image is copied, and
 * its container lives in a changed root.
 */
export function createFilesystemIsolator(options: FilesystemIsolatorOptions): Isolator {
  const { images, support, runtimeOf } = options;
  return {
    name: 'filesystem/linux',
    async prepare(container) {
      const image = container.container?.mesos?.image;
      const root = image === undefined ? await outerRoot(container, options) : undefined;
      const parent = isNested(container)
        ? await options.recordOf(container.parentContainerId ?? '')
        : undefined;
      const hasRootfs = image !== undefined || root !== undefined;
      const places = { container, hasRootfs, volumePath: options.volumePath };
      const volumes = volumeMounts({ ...places, parentSandbox: parent?.directory });
      for (const path of volumes.directories) await mkdir(path, { recursive: true });
      if (volumes.mounts.length > 0 && !support.mounts) {
        throw new LaunchError('the kernel of this agent gives no mount namespaces for volumes');
      }
      const mounts = await Promise.all(volumes.mounts.map((mount) => fitting(mount, hasRootfs)));
      if (image === undefined) {
        const own: Partial<Surroundings> =
          mounts.length === 0 ? {} : { namespaces: ['mount'], mounts };
        return { ...own, ...root };
      }
      const provided = await provide(images, image);
      return rootOf(provided, container, mounts, support, runtimeOf(container.key));
    },
    pruneImages: async (keep) => images?.prune(keep),
    async cleanUp(container) {
      for (const name of ['rootfs', 'upper', 'work']) {
        await rm(join(runtimeOf(container.key), name), { recursive: true, force: true });
      }
    },
  };
}

/** What is nested in a container with an image is in the same root file system, in its own sandbox. */
async function outerRoot(
  container: ContainerRecord,
  { runtimeOf, recordOf }: FilesystemIsolatorOptions,
): Promise<Pick<Surroundings, 'rootfs' | 'directory'> | undefined> {
  let key = container.parentContainerId;
  while (key !== undefined) {
    const outer = await recordOf(key);
    if (outer.container?.mesos?.image !== undefined) {
      const inner = relative(outer.directory, container.directory);
      const directory = join(SANDBOX_IN_ROOTFS, inner.startsWith('..') ? '' : inner);
      return { rootfs: join(runtimeOf(key), 'rootfs'), directory };
    }
    key = outer.parentContainerId;
  }
  return undefined;
}

/**
 * The mount of a volume, fit for what its source is. Nothing is made outside of the sandbox and the
 * root file system for it.
 * @throws LaunchError when the source, or a place on the host, is not there.
 */
async function fitting(mount: Mount, hasRootfs: boolean): Promise<Mount> {
  const { source, target, create } = mount;
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) throw new LaunchError(`the path '${source}' of a volume is not there`);
  if (!hasRootfs && create === undefined && !(await isThere(target))) {
    throw new LaunchError(`the absolute container path '${target}' of a volume is not there`);
  }
  return found.isDirectory() || create === undefined ? mount : { ...mount, create: 'file' };
}

async function provide(images: ImageStore | undefined, image: Image): Promise<ProvidedImage> {
  if (image.type !== 'DOCKER' || image.docker === undefined) {
    throw new LaunchError(`images of type ${image.type} are not supported`);
  }
  if (images === undefined) throw new LaunchError('images need --image_providers=docker');
  try {
    const { name, config } = image.docker;
    return await images.provide(name, image.cached ?? true, config && credentialsIn(config));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LaunchError(`can't get the image ${image.docker.name}: ${why}`, { cause });
  }
}

/** Credentials for the registry that come with the image. */
function credentialsIn({ type, value }: Secret): RegistryCredentials {
  if (type === 'REFERENCE' || value === undefined) {
    throw new ImageError('its config must be a secret by value');
  }
  return parseDockerConfig(Buffer.from(value.data, 'base64').toString('utf8'));
}

async function rootOf(
  { layers, config }: ProvidedImage,
  container: ContainerRecord,
  volumes: readonly Mount[],
  support: FilesystemSupport,
  runtimeDirectory: string,
): Promise<Partial<Surroundings>> {
  const [rootfs, upper, work] = ['rootfs', 'upper', 'work'].map((n) => join(runtimeDirectory, n));
  if (rootfs === undefined || upper === undefined || work === undefined) return {};
  const isOverlay = support.mounts && support.overlay;
  if (isOverlay) for (const path of [rootfs, upper, work]) await mkdir(path, { recursive: true });
  else await copyLayers(layers, rootfs);
  const common = {
    rootfs,
    environment: { ...config.environment, MESOS_SANDBOX: SANDBOX_IN_ROOTFS },
    defaultCommand: [...config.entrypoint, ...config.command],
  };
  if (!support.mounts) return { ...common, directory: config.directory ?? '/' };
  const sandbox: Mount = {
    ...{ source: container.directory, target: SANDBOX_IN_ROOTFS, type: 'bind' },
    create: 'directory',
  };
  return {
    ...common,
    namespaces: ['mount'],
    directory: config.directory ?? SANDBOX_IN_ROOTFS,
    ...(isOverlay ? { overlay: { lower: layers.toReversed(), upper, work } } : {}),
    mounts: [...(await systemMounts()), sandbox, ...volumes],
  };
}

/** What every Linux program may expect to find. */
async function systemMounts(): Promise<readonly Mount[]> {
  const devices = DEVICES.map((name): Mount => {
    const path = `/dev/${name}`;
    return { source: path, target: path, type: 'bind', create: 'file' };
  });
  const files: Mount[] = [];
  for (const path of HOST_FILES) {
    if (!(await isThere(path))) continue;
    files.push({ source: path, target: path, type: 'bind', isReadOnly: true, create: 'file' });
  }
  const directory = { create: 'directory' } as const;
  return [
    { source: 'proc', target: '/proc', type: 'proc', ...directory },
    { source: '/sys', target: '/sys', type: 'bind', isReadOnly: true, ...directory },
    { source: 'dev', target: '/dev', type: 'tmpfs', options: 'mode=755,nosuid', ...directory },
    {
      ...{ source: 'devpts', target: '/dev/pts', type: 'devpts', ...directory },
      options: 'newinstance,ptmxmode=0666,mode=0620',
    },
    { source: 'shm', target: '/dev/shm', type: 'tmpfs', options: 'mode=1777', ...directory },
    ...devices,
    ...files,
  ];
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

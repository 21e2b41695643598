import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type HttpTransport, type Logger, SettingsError } from '@factory/runtime';
import { textOrFile } from '../../../command-line.ts';
import { volumePath } from '../../operations/volume-directories.ts';
import { parseDockerConfig, type RegistryCredentials } from '../images/docker-config.ts';
import { ImageError } from '../images/image.ts';
import { ImageStore } from '../images/image-store.ts';
import { RegistryClient } from '../images/registry-client.ts';
import { succeeds } from '../launcher/launch-tools.ts';
import type { RuntimeDirectory } from '../launcher/runtime-directory.ts';
import type { Namespace } from '../launcher/surroundings.ts';
import { createCgroupsIsolator } from './cgroups/cgroups-isolator.ts';
import type { Subsystem } from './cgroups/controls.ts';
import { type CgroupMounts, CgroupSet, detectCgroups } from './cgroups/hierarchy.ts';
import { createDiskIsolator } from './disk/disk-isolator.ts';
import { createFilesystemIsolator } from './filesystem/filesystem-isolator.ts';
import type { Isolator } from './isolator.ts';
import { createNamespacesIsolator } from './namespaces-isolator.ts';
import { createPosixIsolator } from './posix-isolator.ts';
import {
  createCapabilitiesIsolator,
  createNoNewPrivilegesIsolator,
  createRlimitsIsolator,
  parseCapabilities,
} from './privileges-isolator.ts';

/** How containers are isolated: the values of the agent's flags. */
export interface IsolationSettings {
  /** Names of isolators, separated by commas. */
  readonly isolation: string;
  /** `linux` follows the processes of a container by a cgroup; `posix` by their sessions. */
  readonly launcher: 'posix' | 'linux';
  readonly workDir: string;
  /** Cgroups that are mounted below it are used; default: all. */
  readonly cgroupsHierarchy?: string | undefined;
  readonly cgroupsRoot: string;
  readonly cgroupsEnableCfs: boolean;
  readonly cgroupsLimitSwap: boolean;
  readonly cgroupsPidsMax: number | undefined;
  readonly enforceContainerDiskQuota: boolean;
  readonly containerDiskWatchIntervalMs: number;
  /** JSON of capabilities that containers have, and may have. */
  readonly effectiveCapabilities?: string | undefined;
  readonly boundingCapabilities?: string | undefined;
  /** Kinds of images, separated by commas; empty: containers can't have images. */
  readonly imageProviders: string;
  readonly dockerStoreDir: string | undefined;
  /** URL of a registry, or a directory of this host with images in it. */
  readonly dockerRegistry: string;
  /** Docker's config.json with credentials for registries. */
  readonly dockerConfig?: string | undefined;
}

/** What isolators use of the world around them. */
export interface IsolatorShell {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transport: HttpTransport;
  readonly runtime: RuntimeDirectory;
}

const SUBSYSTEMS: Readonly<Record<string, readonly Subsystem[]>> = {
  'cgroups/cpu': ['cpu', 'cpuacct'],
  'cgroups/mem': ['memory'],
  'cgroups/pids': ['pids'],
  'cgroups/all': ['cpu', 'cpuacct', 'memory', 'pids'],
};

/** Names that older agents used for the same. */
const ALIASES: Readonly<Record<string, string>> = {
  process: 'posix/cpu,posix/mem',
  cgroups: 'cgroups/cpu,cgroups/mem',
  'posix/disk': 'disk/du',
};

const NAMESPACES: Readonly<Record<string, Namespace>> = {
  'namespaces/pid': 'pid',
  'namespaces/ipc': 'ipc',
  'namespaces/uts': 'uts',
  'namespaces/net': 'net',
};

/** In Mesos each of these is an isolator; here filesystem/linux does it all. */
const OF_FILESYSTEM = [
  ...['filesystem/linux', 'filesystem/shared', 'volume/host_path', 'volume/sandbox_path'],
  ...['volume/image', 'docker/runtime'],
];
const OF_PRIVILEGES = ['posix/rlimits', 'linux/capabilities', 'linux/nnp'];
const OTHERS = new Set([
  ...['posix/cpu', 'posix/mem', 'disk/du', 'filesystem/posix', ...OF_FILESYSTEM],
  ...OF_PRIVILEGES,
]);

/** The names in `--isolation`. @throws SettingsError when one is not known. Pure. */
export function isolatorNames(isolation: string): ReadonlySet<string> {
  const names = isolation
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .flatMap((name) => (ALIASES[name] ?? name).split(','));
  const unknown = names.filter(
    (name) => !(name in SUBSYSTEMS || name in NAMESPACES || OTHERS.has(name)),
  );
  if (unknown.length > 0) {
    throw new SettingsError([`--isolation: there is no isolator ${unknown.join(', ')}`]);
  }
  return new Set(names);
}

/**
 * The isolators that the flags name. Where the machine has no cgroups that this agent can use, what
 * they would limit is only measured, and the log says so.
 * @throws SettingsError when one is not known.
 */
export async function createIsolators(
  settings: IsolationSettings,
  shell: IsolatorShell,
): Promise<readonly Isolator[]> {
  const names = isolatorNames(settings.isolation);
  const wanted = new Set([...names].flatMap((name) => SUBSYSTEMS[name] ?? []));
  if (settings.launcher === 'linux') wanted.add('freezer');
  const mounts =
    wanted.size === 0 ? undefined : await usableCgroups(wanted, settings, shell.logger);
  const has = (subsystem: Subsystem): boolean =>
    wanted.has(subsystem) && mounts?.roots[subsystem] !== undefined;
  const isolators: Isolator[] = [
    ...(await surroundingIsolators(names, settings, shell)),
    ...privilegeIsolators(names, settings),
  ];
  const cpu = names.has('posix/cpu') || (wanted.has('cpu') && !has('cpu'));
  const mem = names.has('posix/mem') || (wanted.has('memory') && !has('memory'));
  if (cpu || mem) isolators.push(createPosixIsolator({ cpu, mem }));
  if (mounts !== undefined) {
    isolators.push(
      createCgroupsIsolator({
        ...{ ...shell, mounts, root: settings.cgroupsRoot, subsystems: wanted },
        settings: {
          enableCfs: settings.cgroupsEnableCfs,
          limitSwap: settings.cgroupsLimitSwap,
          pidsMax: settings.cgroupsPidsMax,
        },
      }),
    );
  }
  if (names.has('disk/du')) {
    isolators.push(
      createDiskIsolator({
        ...shell,
        intervalMs: settings.containerDiskWatchIntervalMs,
        isEnforced: settings.enforceContainerDiskQuota,
        volumePath: (volume) => volumePath(settings.workDir, volume),
      }),
    );
  }
  return isolators;
}

/** Those that say what the processes of a container may do. */
function privilegeIsolators(
  names: ReadonlySet<string>,
  { effectiveCapabilities, boundingCapabilities }: IsolationSettings,
): readonly Isolator[] {
  const effective = parseCapabilities('effective_capabilities', effectiveCapabilities);
  const bounding = parseCapabilities('bounding_capabilities', boundingCapabilities);
  return [
    ...(names.has('posix/rlimits') ? [createRlimitsIsolator()] : []),
    ...(names.has('linux/capabilities')
      ? [createCapabilitiesIsolator({ effective, bounding })]
      : []),
    ...(names.has('linux/nnp') ? [createNoNewPrivilegesIsolator()] : []),
  ];
}

/** Those that make what a container finds around it. */
async function surroundingIsolators(
  names: ReadonlySet<string>,
  settings: IsolationSettings,
  shell: IsolatorShell,
): Promise<readonly Isolator[]> {
  const wanted = [...names].flatMap((name) => NAMESPACES[name] ?? []);
  const hasFilesystem = OF_FILESYSTEM.some((name) => names.has(name));
  if (wanted.length === 0 && !hasFilesystem) return [];
  const usable: Namespace[] = [];
  for (const each of [...wanted, 'mount' as const]) {
    if (await succeeds('unshare', [`--${each}`, 'true'])) usable.push(each);
    else shell.logger.warn({ namespace: each }, 'the kernel gives this agent no such namespaces');
  }
  const { runtime } = shell;
  const namespaces = new Set(usable.filter((each) => wanted.includes(each)));
  const processOf = async (key: string): Promise<number | undefined> =>
    (await runtime.process(key))?.pid;
  const hasEntered = (key: string): Promise<boolean> => runtime.hasEntered(key);
  const { clock } = shell;
  const isolators = [createNamespacesIsolator({ namespaces, processOf, hasEntered, clock })];
  if (!hasFilesystem) return isolators;
  const filesystem = createFilesystemIsolator({
    support: { mounts: usable.includes('mount'), overlay: await hasOverlay() },
    images: imageStore(settings, shell),
    runtimeOf: (key) => runtime.of(key),
    recordOf: (key) => runtime.readRecord(key),
    volumePath: (volume) => volumePath(settings.workDir, volume),
  });
  // The root first: what namespaces mount is mounted in it.
  return [filesystem, ...isolators];
}

async function hasOverlay(): Promise<boolean> {
  const known = await readFile('/proc/filesystems', 'utf8').catch(() => '');
  return known.includes('\toverlay') || (await succeeds('modprobe', ['overlay']));
}

function imageStore(
  { imageProviders, dockerStoreDir, dockerRegistry, dockerConfig, workDir }: IsolationSettings,
  { logger, transport }: IsolatorShell,
): ImageStore | undefined {
  const providers = imageProviders.split(',').map((each) => each.trim().toLowerCase());
  if (!providers.includes('docker')) return undefined;
  const local = /^(file:\/\/)?(\/.*)$/.exec(dockerRegistry)?.[2];
  return new ImageStore({
    logger,
    directory: dockerStoreDir ?? join(workDir, 'store', 'docker'),
    origin:
      local === undefined
        ? {
            kind: 'registry',
            client: new RegistryClient({
              ...{ transport, defaultUrl: dockerRegistry },
              credentials: dockerConfig === undefined ? undefined : readDockerConfig(dockerConfig),
            }),
          }
        : { kind: 'directory', path: local },
  });
}

/** The value of `--docker_config`: JSON, or the path of a file with it. @throws SettingsError */
function readDockerConfig(value: string): RegistryCredentials {
  const text = textOrFile('docker_config', value.startsWith('/') ? `file://${value}` : value);
  try {
    return parseDockerConfig(text);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new SettingsError([`--docker_config: ${error.message}`]);
  }
}

/** Whether the linux launcher can work here: as root, with a cgroup to keep processes in. */
export async function canLaunchLinux(cgroupsHierarchy?: string): Promise<boolean> {
  if (process.geteuid?.() !== 0) return false;
  const mounts = await detectCgroups(cgroupsHierarchy);
  if (mounts?.roots.freezer === undefined) return false;
  return access(mounts.roots.freezer).then(
    () => true,
    () => false,
  );
}

async function usableCgroups(
  wanted: ReadonlySet<Subsystem>,
  { cgroupsHierarchy, cgroupsRoot }: IsolationSettings,
  logger: Logger,
): Promise<CgroupMounts | undefined> {
  const mounts = await detectCgroups(cgroupsHierarchy);
  const missing = [...wanted].filter((each) => mounts?.roots[each] === undefined);
  if (mounts === undefined) {
    logger.warn({ missing }, 'there are no cgroups here: containers are measured, not limited');
    return undefined;
  }
  try {
    await new CgroupSet(mounts, wanted, cgroupsRoot).create();
  } catch (err) {
    logger.warn({ err }, 'cgroups can not be made here: containers are measured, not limited');
    return undefined;
  }
  if (missing.length > 0) {
    logger.warn({ missing }, 'the kernel has no such cgroups: these are measured, not limited');
  }
  return mounts;
}

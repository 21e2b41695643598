import { type Clock, hasErrorCode, type Logger } from '@factory/runtime';
import type { ResourceStatistics } from '../../../../protocol/index.ts';
import { LaunchError } from '../../containerizer.ts';
import { entitlementOf, formatBytes } from '../entitlement.ts';
import {
  type ContainerRecord,
  type Isolator,
  isNested,
  type Limitation,
  rootKey,
} from '../isolator.ts';
import { Rounds } from '../rounds.ts';
import { type CgroupSettings, controlsFor, type Subsystem } from './controls.ts';
import { type CgroupMounts, CgroupSet } from './hierarchy.ts';
import {
  cpuStatistics,
  memoryStatistics,
  oomKills,
  peakMemoryBytes,
  type ReadControl,
} from './statistics.ts';

/** A kernel's OOM killer is looked for so often while a container runs, and once when it ends. */
const OOM_INTERVAL_MS = 500;

/** What the cgroups isolator is made of. */
export interface CgroupsIsolatorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mounts: CgroupMounts;
  /** `--cgroups_root`: the containers' cgroups are below. */
  readonly root: string;
  readonly subsystems: ReadonlySet<Subsystem>;
  readonly settings: CgroupSettings;
}

/**
 * CPU, memory and number of processes by cgroups of version 1 or 2. Containers that are nested in
 * another one live in its cgroups.
 */
export function createCgroupsIsolator(options: CgroupsIsolatorOptions): Isolator {
  const { mounts, subsystems, settings, logger } = options;
  const { version } = mounts;
  const cgroupsOf = (container: Pick<ContainerRecord, 'key'>): CgroupSet =>
    new CgroupSet(mounts, subsystems, `${options.root}/${rootKey(container.key)}`);
  const readerOf = (container: ContainerRecord): ReadControl => {
    const cgroups = cgroupsOf(container);
    return (subsystem, file) => cgroups.read(subsystem, file);
  };
  const applyControls = async (container: ContainerRecord): Promise<void> => {
    const cgroups = cgroupsOf(container);
    const controls = controlsFor(version, subsystems, entitlementOf(container), settings);
    for (const { subsystem, file, value } of controls) await cgroups.write(subsystem, file, value);
  };
  const explain = async (container: ContainerRecord): Promise<Limitation | undefined> => {
    if (!subsystems.has('memory') || isNested(container)) return undefined;
    const read = readerOf(container);
    if ((await oomKills(version, read)) === 0) return undefined;
    return memoryLimitation(
      container,
      await peakMemoryBytes(version, read),
      await read('memory', 'memory.stat'),
    );
  };
  const rounds = new Rounds(options, OOM_INTERVAL_MS, explain);
  let prepared: Promise<void> | undefined;
  const make = async (container: ContainerRecord): Promise<void> => {
    prepared ??= prepareRoot(options);
    await prepared;
    await cgroupsOf(container).create();
    await applyControls(container);
  };
  return {
    name: 'cgroups',
    async prepare(container) {
      if (isNested(container)) return {};
      try {
        await make(container).catch(() => {
          // Another agent of this machine took the root along, empty as it was, when it ended.
          prepared = undefined;
          return make(container);
        });
      } catch (cause) {
        prepared = undefined;
        throw new LaunchError(`can't make the cgroups of the container: ${textOf(cause)}`, {
          cause,
        });
      }
      return {};
    },
    async isolate(container, pid) {
      try {
        await cgroupsOf(container).add(pid);
      } catch (cause) {
        const message = `can't put the container into its cgroups: ${textOf(cause)}`;
        throw new LaunchError(message, { cause });
      }
    },
    watch: (container, exceeded) =>
      subsystems.has('memory') && !isNested(container)
        ? rounds.add(container, exceeded)
        : () => undefined,
    explain,
    async update(container) {
      if (isNested(container)) return;
      try {
        await applyControls(container);
      } catch (err) {
        // EBUSY: it uses more than it may have from now on, and keeps it until it gives some back.
        if (!hasErrorCode(err, 'EBUSY')) throw err;
        logger.warn(
          { err, containerId: container.key },
          'the container uses more than its new limit',
        );
      }
    },
    async usage(container) {
      const read = readerOf(container);
      const { cpusLimit, cpus, memBytes, memLimitBytes } = entitlementOf(container);
      const statistics: Partial<ResourceStatistics> = {
        processes: (await cgroupsOf(container).processes()).length,
        ...(subsystems.has('cpu') ? await cpuStatistics(version, read) : {}),
        ...(subsystems.has('cpu') ? { cpus_soft_limit: cpus } : {}),
        ...(Number.isFinite(cpusLimit) ? { cpus_limit: cpusLimit } : {}),
        ...(subsystems.has('memory') ? await memoryStatistics(version, read) : {}),
        ...(subsystems.has('memory') ? { mem_soft_limit_bytes: memBytes } : {}),
        ...(Number.isFinite(memLimitBytes) ? { mem_limit_bytes: memLimitBytes } : {}),
      };
      return statistics;
    },
    processes: (container) => cgroupsOf(container).processes(),
    cleanUp: async (container) => {
      if (!isNested(container)) await cgroupsOf(container).remove();
    },
    close: () => new CgroupSet(mounts, subsystems, options.root).removeIfEmpty(),
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function prepareRoot({ mounts, root, subsystems }: CgroupsIsolatorOptions): Promise<void> {
  const all = new CgroupSet(mounts, subsystems, root);
  await all.create();
  if (mounts.version === 1) return;
  const controllers = [...subsystems].filter((each) => mounts.roots[each] !== undefined);
  await new CgroupSet(mounts, subsystems, '.').delegate(controllers);
  await all.delegate(controllers);
}

/** In the words of Mesos (src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp). */
function memoryLimitation(
  container: ContainerRecord,
  usedBytes: number,
  statistics: string,
): Limitation {
  const { memLimitBytes } = entitlementOf(container);
  const limit = Number.isFinite(memLimitBytes) ? formatBytes(memLimitBytes) : 'unlimited';
  const megabytes = Math.floor(usedBytes / 1024 / 1024);
  return {
    reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    message:
      `Memory limit exceeded: Requested: ${limit} Maximum Used: ${formatBytes(usedBytes)}\n` +
      `\nMEMORY STATISTICS: \n${statistics}`,
    resources: [{ name: 'mem', type: 'SCALAR', scalar: { value: megabytes } }],
  };
}

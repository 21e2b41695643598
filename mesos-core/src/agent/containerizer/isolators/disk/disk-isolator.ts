import type { Clock, Logger } from '@factory/runtime';
import type { Resource } from '../../../../protocol/index.ts';
import { formatBytes } from '../entitlement.ts';
import { type ContainerRecord, type Isolator, isNested, type Limitation } from '../isolator.ts';
import { Rounds } from '../rounds.ts';
import { diskUsageBytes } from './disk-usage.ts';

const MIB = 1024 * 1024;
const MEASURE_TIMEOUT_MS = 60_000;

/** What the disk isolator is made of. */
export interface DiskIsolatorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `--container_disk_watch_interval`. */
  readonly intervalMs: number;
  /** `--enforce_container_disk_quota`: who uses more than its `disk` is ended. */
  readonly isEnforced: boolean;
  /** Where a persistent volume is on this host. */
  readonly volumePath: (volume: Resource) => string;
}

/** One place of a container that has a quota: its sandbox, or a persistent volume. */
interface MeasuredPath {
  readonly path: string;
  readonly quota: Resource | undefined;
}

/** `disk/du`: what sandboxes and persistent volumes take is measured by walking through them. */
export function createDiskIsolator(options: DiskIsolatorOptions): Isolator {
  const { clock, isEnforced, intervalMs } = options;
  /** Newest measurements of sandboxes, in bytes, by container. */
  const measured = new Map<string, number>();
  const look = async (container: ContainerRecord): Promise<Limitation | undefined> => {
    for (const { path, quota } of measuredPaths(container, options)) {
      const usedBytes = await diskUsageBytes(path, { clock, timeoutMs: MEASURE_TIMEOUT_MS });
      if (usedBytes === undefined) continue;
      if (path === container.directory) measured.set(container.key, usedBytes);
      const quotaBytes = quotaOf(quota);
      if (quota === undefined || !isEnforced || usedBytes <= quotaBytes) continue;
      return {
        reason: 'REASON_CONTAINER_LIMITATION_DISK',
        message: `Disk usage (${formatBytes(usedBytes)}) exceeds quota (${formatBytes(quotaBytes)})`,
        resources: [quota],
      };
    }
    return undefined;
  };
  const rounds = new Rounds(options, intervalMs, look);
  return {
    name: 'disk/du',
    watch: (container, exceeded) =>
      isNested(container) ? () => undefined : rounds.add(container, exceeded),
    async usage(container) {
      const [sandbox] = measuredPaths(container, options);
      const limit =
        sandbox?.quota === undefined ? {} : { disk_limit_bytes: quotaOf(sandbox.quota) };
      const used = measured.get(container.key);
      return { ...limit, ...(used === undefined ? {} : { disk_used_bytes: used }) };
    },
    async cleanUp(container) {
      measured.delete(container.key);
    },
  };
}

function quotaOf(quota: Resource | undefined): number {
  return (quota?.scalar?.value ?? 0) * MIB;
}

function measuredPaths(
  container: ContainerRecord,
  { volumePath }: DiskIsolatorOptions,
): readonly MeasuredPath[] {
  const disks = container.resources.filter(({ name }) => name === 'disk');
  const sandbox = disks.filter(({ disk }) => disk?.persistence === undefined);
  const [first] = sandbox;
  const total = sandbox.reduce((sum, each) => sum + (each.scalar?.value ?? 0), 0);
  const quota = first === undefined ? undefined : { ...first, scalar: { value: total } };
  const volumes = disks.flatMap((disk) => {
    return disk.disk?.persistence === undefined ? [] : [{ path: volumePath(disk), quota: disk }];
  });
  return [{ path: container.directory, quota }, ...volumes];
}

import type { Capacity } from '@factory/contracts';

/** Sums over a cluster's hosts. */
export interface CapacitySummary {
  readonly observedAtMs: number;
  readonly hosts: number;
  readonly activeHosts: number;
  readonly totalVcpus: number;
  readonly totalMemoryMiB: number;
  readonly freeVcpus: number;
  readonly freeMemoryMiB: number;
  readonly promisedVcpus: number;
  readonly promisedMemoryMiB: number;
  readonly images: readonly string[];
  /** The newest of each; summaries of before images had versions lack it. */
  readonly imageVersions?: Readonly<Record<string, string>>;
  readonly allImageVersions?: Readonly<Record<string, readonly string[]>>;
}

/** Sums of a capacity report; hosts that are not active add nothing. */
export function summariseCapacity(capacity: Capacity): CapacitySummary {
  const active = capacity.hosts.filter((host) => host.active);
  return {
    observedAtMs: capacity.observedAtMs,
    hosts: capacity.hosts.length,
    activeHosts: active.length,
    totalVcpus: sum(active.map((host) => host.totalVcpus)),
    totalMemoryMiB: sum(active.map((host) => host.totalMemoryMiB)),
    freeVcpus: sum(active.map((host) => host.freeVcpus)),
    freeMemoryMiB: sum(active.map((host) => host.freeMemoryMiB)),
    promisedVcpus: capacity.promisedVcpus,
    promisedMemoryMiB: capacity.promisedMemoryMiB,
    images: [...new Set(capacity.images)].sort(),
    ...(capacity.imageVersions === undefined ? {} : { imageVersions: capacity.imageVersions }),
    ...(capacity.allImageVersions === undefined
      ? {}
      : { allImageVersions: capacity.allImageVersions }),
  };
}

/** Whether something may fit now that did not before: waiting machines are planned again then. */
export function mayHaveMoreRoom(before: CapacitySummary | null, after: CapacitySummary): boolean {
  if (before === null) return true;
  return (
    after.freeVcpus - after.promisedVcpus > before.freeVcpus - before.promisedVcpus ||
    after.freeMemoryMiB - after.promisedMemoryMiB >
      before.freeMemoryMiB - before.promisedMemoryMiB ||
    after.images.some((image) => !before.images.includes(image))
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Whether the cluster's master has this host among those that are there. */
export function isHostActive(capacity: Capacity | null, hostName: string): boolean {
  return capacity?.hosts.some((host) => host.hostName === hostName && host.active) ?? false;
}

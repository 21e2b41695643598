import type { BatchVolume, VolumeMount } from '@factory/contracts';
import type { BatchSize } from '../batches/store.ts';
import type { BoundVolumes, VolumeView } from './store.ts';

/** How many machines a batch may have. */
export function machinesOf(size: BatchSize): number {
  return size.kind === 'count' ? size.count : size.totalVcpus;
}

export type Binding =
  | { readonly kind: 'bound'; readonly volumes: BoundVolumes }
  | { readonly kind: 'refused'; readonly detail: string };

/**
 * What the machines of a batch get of the volumes that it names, or why it can't be. `found` are those
 * of its project with these names. Pure.
 */
export function bindVolumes(
  wanted: readonly BatchVolume[],
  machines: number,
  found: readonly VolumeView[],
): Binding {
  const mounts: VolumeMount[] = [];
  const clusters = new Map<string, string>();
  const twice = wanted.find(({ volume }, at) => wanted.findIndex((w) => w.volume === volume) < at);
  if (twice !== undefined) return refused(`The volume ${twice.volume} is named twice.`);
  for (const each of wanted) {
    const view = found.find(({ volume }) => volume.name === each.volume);
    if (view === undefined) return refused(`There is no volume ${each.volume}; create it first.`);
    const problem = problemOf(view, machines);
    if (problem !== undefined) return refused(problem);
    clusters.set(view.volume.clusterId, view.clusterName);
    mounts.push(mountOf(view, each));
  }
  if (clusters.size > 1) {
    const names = [...clusters.values()].join(' and ');
    return refused(`A machine is where its volumes are; these are in ${names}.`);
  }
  const clusterId = found.find(({ volume }) => clusters.has(volume.clusterId))?.volume.clusterId;
  return { kind: 'bound', volumes: { mounts, clusterId: clusterId ?? null } };
}

function problemOf({ volume, machines: users }: VolumeView, machines: number): string | undefined {
  const { name, kind, state, usedBytes, sizeGiB } = volume;
  if (state !== 'available') return `The volume ${name} is being deleted.`;
  if (kind === 'directory') {
    if ((usedBytes ?? 0) <= sizeGiB * 1024 ** 3) return undefined;
    return `The volume ${name} is over its quota of ${sizeGiB} GiB; delete files in it first.`;
  }
  if (machines !== 1) {
    return `The volume ${name} is a disk, which one machine has at a time; ask for a count of 1, or use a volume of kind directory.`;
  }
  if (users === 0) return undefined;
  return `A machine has the volume ${name} already; take it from that machine, or delete that, first.`;
}

function mountOf({ volume }: VolumeView, wanted: BatchVolume): VolumeMount {
  const { id, kind, name, sizeGiB, leaseEpoch } = volume;
  return {
    volumeId: id,
    kind,
    tag: name,
    ...(wanted.path === undefined ? {} : { guestPath: wanted.path }),
    readOnly: wanted.readOnly ?? false,
    // Whoever had the disk before is gone: a new number fences it out.
    leaseEpoch: kind === 'block' ? leaseEpoch + 1 : leaseEpoch,
    sizeGiB,
  };
}

function refused(detail: string): Binding {
  return { kind: 'refused', detail };
}

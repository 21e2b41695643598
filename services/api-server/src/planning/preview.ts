import { type ClusterId, planShare, type Shape } from '@factory/contracts';
import { promisedOf, selectForCores, selectForMachines } from './cluster-selection.ts';
import { candidateIn } from './place.ts';
import type { PlanningCluster, PlanningSnapshot } from './store.ts';

/** What a preview depends on: less than a plan, as it gives out neither addresses nor ids. */
export type PreviewSnapshot = Pick<PlanningSnapshot, 'nowMs' | 'batch' | 'clusters' | 'policy'>;

/** Where the machines of a batch would go. */
export interface Preview {
  readonly clusters: readonly PreviewPart[];
  /** Machines, or cores where these were asked for. */
  readonly unplaced: number;
  readonly reason: string | null;
}

/** What one cluster would get. */
export interface PreviewPart {
  readonly clusterId: ClusterId;
  readonly name: string;
  readonly machines: readonly { readonly shape: Shape; readonly count: number }[];
}

/**
 * What planning would do for a batch that nothing was planned of: the same choice between clusters;
 * into which shapes cores go is estimated as each cluster does it, from what it last said. Pure.
 */
export function previewPlan(snapshot: PreviewSnapshot): Preview {
  const { batch, clusters } = snapshot;
  const { size, image, imageVersion, wishes } = batch;
  const meant = clusters.filter(
    ({ id }) => batch.volumeClusterId === null || batch.volumeClusterId === id,
  );
  const candidates = meant.map(candidateIn(snapshot));
  const named = (id: ClusterId): PlanningCluster | undefined =>
    meant.find((each) => each.id === id);
  if (size.kind === 'count') {
    const { count, shape } = size;
    const demand = { image, imageVersion, wishes, shape, count, outOf: count };
    const { shares, unplaced, reason } = selectForMachines(demand, candidates);
    const parts = shares.map(({ clusterId, amount }) => {
      const name = named(clusterId)?.name ?? '';
      return { clusterId, name, machines: [{ shape, count: amount }] };
    });
    return { clusters: parts, unplaced, reason };
  }
  const { shapes, totalVcpus } = size;
  const demand = { image, imageVersion, wishes, shapes, totalVcpus, outOf: totalVcpus };
  const selection = selectForCores(demand, candidates);
  const parts = selection.shares.flatMap(({ clusterId, amount }) => {
    const cluster = named(clusterId);
    return cluster === undefined ? [] : [partOf(snapshot, cluster, amount, shapes)];
  });
  const left = parts.reduce((sum, part) => sum + part.unplacedVcpus, 0);
  const reasons = [selection.reason ?? [], ...parts.map(({ said }) => said ?? [])].flat();
  return {
    clusters: parts.map(({ clusterId, name, machines }) => ({ clusterId, name, machines })),
    unplaced: selection.unplaced + left,
    reason: reasons.length === 0 ? null : reasons.join(' '),
  };
}

/** A cluster's share of the cores, in machines. */
function partOf(
  { batch: { wishes } }: PreviewSnapshot,
  cluster: PlanningCluster,
  totalVcpus: number,
  shapes: readonly Shape[],
): PreviewPart & { readonly unplacedVcpus: number; readonly said: string | undefined } {
  const { requirements, hardware } = wishes;
  const request = {
    ...{ totalVcpus, shapes },
    ...(requirements === undefined ? {} : { requirements }),
    ...(hardware === undefined ? {} : { hardware }),
  };
  const { capacity, id: clusterId, name } = cluster;
  if (capacity === null)
    return { clusterId, name, machines: [], unplacedVcpus: totalVcpus, said: undefined };
  const plan = planShare(request, capacity.hosts, promisedOf(cluster, capacity));
  const { machines, unplacedVcpus } = plan;
  const said = plan.reason === '' ? undefined : `${name}: ${plan.reason}`;
  return { clusterId, name, machines, unplacedVcpus, said };
}

/** What a preview takes of each cluster. */
export function roomOf({ machines }: PreviewPart): Shape {
  return {
    vcpus: machines.reduce((sum, { shape, count }) => sum + count * shape.vcpus, 0),
    memoryMiB: machines.reduce((sum, { shape, count }) => sum + count * shape.memoryMiB, 0),
  };
}

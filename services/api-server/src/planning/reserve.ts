import type { BatchId, ClusterId } from '@factory/contracts';
import { VM_MEMORY_OVERHEAD_MIB } from '@factory/contracts';
import { eligibilityOf } from './eligibility.ts';
import type { PlanningCluster, PlanningSnapshot } from './store.ts';

/** A batch that is not placed after so long gets room kept for it: those behind it fill what is left. */
export const RESERVE_AFTER_MS = 60_000;

/** Room of a cluster that is kept for a batch which has waited long. */
export interface Reservation {
  readonly batchId: BatchId;
  readonly clusterId: ClusterId;
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/**
 * What is kept for a batch that a round could not place: what it takes at once - all its machines
 * when they are to be together, else one of the widest - in the cluster which has most in all of
 * those that it may be in, as that will be free first. Nothing for one that has not waited long, or
 * that could be nowhere even if the clusters were empty. Pure.
 */
export function reservationFor(
  snapshot: PlanningSnapshot,
  unplacedVms: readonly { readonly vcpus: number; readonly memoryMiB: number }[],
): Reservation | undefined {
  const { batch, nowMs, clusters } = snapshot;
  if (nowMs - batch.createdAtMs < RESERVE_AFTER_MS || unplacedVms.length === 0) return undefined;
  const byWidth = unplacedVms.toSorted((a, b) => b.vcpus - a.vcpus);
  const atOnce = batch.wishes.group?.rule === 'affinity' ? byWidth : byWidth.slice(0, 1);
  const widest = atOnce[0]?.vcpus ?? 0;
  const able = clusters.filter(
    (cluster) =>
      eligibilityOf(snapshot, cluster).refusal === undefined &&
      cluster.silentSinceMs === null &&
      (cluster.capacity?.hosts ?? []).some((host) => host.active && host.totalVcpus >= widest),
  );
  const [cluster] = able.toSorted(
    (a, b) => totalVcpus(b) - totalVcpus(a) || (a.id < b.id ? -1 : 1),
  );
  if (cluster === undefined) return undefined;
  const sum = (amounts: readonly number[]): number => amounts.reduce((a, b) => a + b, 0);
  return {
    batchId: batch.id,
    clusterId: cluster.id,
    vcpus: sum(atOnce.map((vm) => vm.vcpus)),
    memoryMiB: sum(atOnce.map((vm) => vm.memoryMiB + VM_MEMORY_OVERHEAD_MIB)),
  };
}

function totalVcpus({ capacity }: PlanningCluster): number {
  return (capacity?.hosts ?? []).reduce((sum, host) => sum + host.totalVcpus, 0);
}

/** The snapshot as those see it who come later: what is kept for others is not free. Pure. */
export function withReservations(
  snapshot: PlanningSnapshot,
  reservations: readonly Reservation[],
): PlanningSnapshot {
  const ofOthers = reservations.filter((each) => each.batchId !== snapshot.batch.id);
  if (ofOthers.length === 0) return snapshot;
  const clusters = snapshot.clusters.map((cluster): PlanningCluster => {
    const kept = ofOthers.filter((each) => each.clusterId === cluster.id);
    if (kept.length === 0) return cluster;
    const vcpus = kept.reduce((sum, each) => sum + each.vcpus, 0);
    const memoryMiB = kept.reduce((sum, each) => sum + each.memoryMiB, 0);
    return {
      ...cluster,
      unseenVcpus: cluster.unseenVcpus + vcpus,
      unseenMemoryMiB: cluster.unseenMemoryMiB + memoryMiB,
      keptVcpus: vcpus,
    };
  });
  return { ...snapshot, clusters };
}

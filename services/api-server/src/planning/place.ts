import { VM_MEMORY_OVERHEAD_MIB } from '@factory/contracts';
import { withGiven } from '../clusters/admission.ts';
import { isConnected } from '../clusters/connection.ts';
import type { VmRecord } from '../vms/store.ts';
import { type Candidate, selectForMachines } from './cluster-selection.ts';
import type { PlanDraft } from './draft.ts';
import { eligibilityOf } from './eligibility.ts';
import type { PlanningCluster, PlanningSnapshot } from './store.ts';

/** Machines after a try to place them. */
export interface Placement {
  /** All of them, in their order within each group. */
  readonly vms: readonly VmRecord[];
  readonly unplaced: number;
  /** In words, with counts, why some are not placed; `null` when all are. */
  readonly reason: string | null;
}

/**
 * Gives machines to clusters, those that are alike together: of one size, and refused by the same
 * clusters. `outOf` is what the batch has in all, for the reason.
 */
export function placeMachines(
  snapshot: PlanningSnapshot,
  machines: readonly VmRecord[],
  outOf: number,
  draft: PlanDraft,
): Placement {
  const { image, imageVersion, wishes } = snapshot.batch;
  let candidates = snapshot.clusters.map(candidateIn(snapshot));
  const vms: VmRecord[] = [];
  const reasons: string[] = [];
  let unplaced = 0;
  for (const alike of Map.groupBy(machines, likeness).values()) {
    const [first] = alike;
    if (first === undefined) continue;
    const shape = { vcpus: first.vcpus, memoryMiB: first.memoryMiB };
    const demand = { image, imageVersion, wishes, shape, count: alike.length, outOf };
    const selection = selectForMachines(demand, withoutExcluded(candidates, first, snapshot.nowMs));
    let placed = 0;
    for (const { clusterId, amount } of selection.shares) {
      vms.push(...draft.assign(alike.slice(placed, placed + amount), clusterId));
      placed += amount;
      const taken = {
        vms: amount,
        vcpus: amount * shape.vcpus,
        memoryMiB: amount * (shape.memoryMiB + VM_MEMORY_OVERHEAD_MIB),
      };
      candidates = candidates.map((each) => (each.id === clusterId ? less(each, taken) : each));
    }
    vms.push(...alike.slice(placed));
    unplaced += selection.unplaced;
    if (selection.reason !== null) reasons.push(selection.reason);
  }
  return { vms, unplaced, reason: reasons.length === 0 ? null : reasons.join(' ') };
}

/** A cluster as a choice for the snapshot's batch. */
export function candidateIn(
  snapshot: Pick<PlanningSnapshot, 'nowMs' | 'batch' | 'policy'>,
): (cluster: PlanningCluster) => Candidate {
  return (cluster) => ({
    ...cluster,
    ...eligibilityOf(snapshot, cluster),
    isConnected:
      cluster.silentSinceMs === null && isConnected(cluster.lastSeenAtMs, snapshot.nowMs),
  });
}

/** The clusters as choices for a machine of the snapshot's batch. */
export function candidatesFor(
  snapshot: Pick<PlanningSnapshot, 'nowMs' | 'batch' | 'clusters' | 'policy'>,
  vm: VmRecord,
): readonly Candidate[] {
  const candidates = snapshot.clusters.map(candidateIn(snapshot));
  return withoutExcluded(candidates, vm, snapshot.nowMs);
}

function likeness({ vcpus, memoryMiB, excluded }: VmRecord): string {
  return JSON.stringify([vcpus, memoryMiB, excluded.map((each) => each.clusterId).sort()]);
}

function withoutExcluded(
  candidates: readonly Candidate[],
  { excluded }: VmRecord,
  nowMs: number,
): readonly Candidate[] {
  const current = excluded.filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs);
  if (current.length === 0) return candidates;
  const reasons = new Map(current.map((each) => [each.clusterId, each.reason]));
  return candidates.map((candidate) => {
    const reason = reasons.get(candidate.id);
    return reason === undefined ? candidate : { ...candidate, refusal: reason };
  });
}

function less(
  candidate: Candidate,
  taken: { readonly vms: number; readonly vcpus: number; readonly memoryMiB: number },
): Candidate {
  return {
    ...candidate,
    ...(candidate.admission ? { admission: withGiven(candidate.admission, taken) } : {}),
    unseenVcpus: candidate.unseenVcpus + taken.vcpus,
    unseenMemoryMiB: candidate.unseenMemoryMiB + taken.memoryMiB,
  };
}

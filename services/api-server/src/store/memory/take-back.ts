import type { BatchId, ClusterId } from '@factory/contracts';
import { batchesToPlan, TAKEN_BACK } from '../../planning/reassign.ts';
import type { PlanningStore, TakenBack } from '../../planning/store.ts';
import type { MemoryCluster, MemoryDatabase } from './database.ts';

/** See `PlanningStore.silentClusters`. */
export function silentClusters(db: MemoryDatabase, beforeMs: number): readonly ClusterId[] {
  return [...db.clusters.values()]
    .filter((cluster) => isSilent(cluster, beforeMs) && hasOldUnclaimed(db, cluster, beforeMs))
    .map(({ id }) => id)
    .sort();
}

function isSilent(cluster: MemoryCluster, beforeMs: number): boolean {
  const { lastSeenAtMs, lastCommandSeq, claimedSeq } = cluster;
  return lastSeenAtMs !== null && lastSeenAtMs < beforeMs && lastCommandSeq > claimedSeq;
}

function hasOldUnclaimed(db: MemoryDatabase, cluster: MemoryCluster, beforeMs: number): boolean {
  const isOldShare = [...db.shares.values()]
    .flat()
    .some(
      ({ clusterId, state, changedAtMs }) =>
        clusterId === cluster.id && state === 'open' && changedAtMs < beforeMs,
    );
  return isOldShare || unclaimedOf(db, cluster).some((vm) => vm.stateSinceMs < beforeMs);
}

function unclaimedOf(db: MemoryDatabase, { id, claimedSeq }: MemoryCluster) {
  return [...db.vms.values()].filter(
    (vm) => vm.clusterId === id && vm.state === 'scheduled' && (vm.assignedSeq ?? 0) > claimedSeq,
  );
}

/** See `PlanningStore.takeBack`. */
export function takeBack(
  db: MemoryDatabase,
  { clusterId, beforeMs, nowMs }: Parameters<PlanningStore['takeBack']>[0],
  decide: Parameters<PlanningStore['takeBack']>[1],
): TakenBack {
  const cluster = db.clusters.get(clusterId);
  if (cluster === undefined || !isSilent(cluster, beforeMs)) return { vms: 0, shares: 0 };
  db.clusters.set(clusterId, { ...cluster, silentSinceMs: cluster.silentSinceMs ?? nowMs });
  const log = db.commands.get(clusterId) ?? [];
  const { name: clusterName, claimedSeq } = cluster;
  const commands = log.filter(({ seq }) => seq > claimedSeq);
  const vms = unclaimedOf(db, cluster).sort((a, b) => (a.id < b.id ? -1 : 1));
  const outcome = decide({ nowMs, clusterId, clusterName, claimedSeq, commands, vms });
  const rewritten = new Map(outcome.commands.map((each) => [each.seq, each]));
  db.commands.set(
    clusterId,
    log.map((each) => rewritten.get(each.seq) ?? each),
  );
  for (const vm of outcome.vms) db.putVm(vm);
  for (const id of outcome.operationIds) {
    const operation = db.operations.get(id);
    if (operation?.state !== 'running') continue;
    const failed = { state: 'failed', message: TAKEN_BACK, finishedAtMs: nowMs } as const;
    db.operations.set(id, { ...operation, ...failed });
  }
  const ofShares = dropShares(db, clusterId);
  const toPlan = [...new Set([...batchesToPlan(outcome.vms), ...ofShares])];
  for (const id of toPlan) planAgain(db, id);
  const batches = [...new Set([...outcome.vms.map((vm) => vm.batchId), ...toPlan])];
  db.wake({ batches, operations: outcome.operationIds });
  return { vms: outcome.vms.length, shares: ofShares.length };
}

/** This batch has machines that wait for a cluster. */
export function planAgain(db: MemoryDatabase, id: BatchId): void {
  const batch = db.batches.get(id);
  if (batch === undefined || batch.state === 'deleting' || batch.state === 'deleted') return;
  db.batches.set(id, { ...batch, state: 'planning', needsPlanning: true });
}

function dropShares(db: MemoryDatabase, clusterId: ClusterId): readonly BatchId[] {
  const dropped: BatchId[] = [];
  for (const [batchId, shares] of db.shares) {
    const left = shares.filter((share) => share.clusterId !== clusterId || share.state !== 'open');
    if (left.length === shares.length) continue;
    db.shares.set(batchId, left);
    dropped.push(batchId);
  }
  return dropped;
}

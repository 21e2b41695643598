import {
  type BatchId,
  type ClusterGiven,
  type ClusterId,
  VM_MEMORY_OVERHEAD_MIB,
} from '@factory/contracts';
import type { BatchRecord } from '../../batches/store.ts';
import type { Admission } from '../../clusters/admission.ts';
import type { PreviewSnapshot } from '../../planning/preview.ts';
import {
  type PlanningCard,
  type PlanningCluster,
  type PlanningOutcome,
  type PlanningSnapshot,
  type PlanningStore,
  type SweepLimits,
  type SweepResult,
  UNHEARD,
} from '../../planning/store.ts';
import type { MemoryCluster, MemoryDatabase } from './database.ts';
import { givenOf } from './fleet.ts';
import { heldFromOthers } from './held-room.ts';
import { policyOf, waitingBatches } from './policies.ts';
import { preempt, preemptible } from './preemption.ts';
import { silentClusters, takeBack } from './take-back.ts';
import { askBack, stuck } from './withdraw.ts';

/** See {@link PlanningStore}. */
export function createMemoryPlanning(db: MemoryDatabase): PlanningStore {
  return {
    plan: async (batchId, nowMs, decide) => {
      const batch = db.batches.get(batchId);
      if (batch?.needsPlanning !== true) return false;
      const outcome = decide(snapshotOf(db, batch, nowMs));
      apply(db, batch, outcome, nowMs);
      return true;
    },
    waiting: async (nowMs, limit) => waitingBatches(db, nowMs, limit),
    preview: async (batch, nowMs) => previewOf(db, batch, nowMs),
    preemptible: async (clusterIds) => preemptible(db, clusterIds),
    preempt: async (vmIds) => preempt(db, vmIds),
    stuck: async (beforeMs, limit) => stuck(db, beforeMs, limit),
    askBack: async (vms) => askBack(db, vms),
    silentClusters: async (beforeMs) => silentClusters(db, beforeMs),
    takeBack: async (from, decide) => takeBack(db, from, decide),
    sweep: async (nowMs, limits) => sweep(db, nowMs, limits),
  };
}

/** See `PlanningStore.preview`. */
export function previewOf(db: MemoryDatabase, batch: BatchRecord, nowMs: number): PreviewSnapshot {
  const policy = policyOf(db, batch.projectId);
  const snapshot = { nowMs, batch, clusters: planningClusters(db, batch.id, nowMs) };
  return policy === undefined ? snapshot : { ...snapshot, policy };
}

function snapshotOf(db: MemoryDatabase, batch: BatchRecord, nowMs: number): PlanningSnapshot {
  const own = db.vmsOf(batch.id);
  const policy = policyOf(db, batch.projectId);
  return {
    nowMs,
    batch,
    cards: cardsOf(db, batch),
    planned: { count: own.length, vcpus: own.reduce((sum, vm) => sum + vm.vcpus, 0) },
    unassigned: own.filter((vm) => vm.clusterId === null && vm.state === 'pending'),
    shares: db.shares.get(batch.id) ?? [],
    clusters: planningClusters(db, batch.id, nowMs),
    ...(policy === undefined ? {} : { policy }),
  };
}

function cardsOf(db: MemoryDatabase, batch: BatchRecord): readonly PlanningCard[] {
  return batch.nics.map(({ subnetId, offset }) => {
    const subnet = db.subnets.get(subnetId);
    if (subnet?.vni == null) throw new Error(`${batch.id} is in ${subnetId}, which is gone`);
    const { cidr, vni, nextOffset } = subnet;
    const isFree = offset !== null && db.addresses.holder(subnetId, offset) === undefined;
    return {
      subnet,
      pool: { cidr, vni, nextOffset, ...db.addresses.known(subnetId, nextOffset) },
      asked: offset === null ? undefined : { offset, isFree },
    };
  });
}

function planningClusters(
  db: MemoryDatabase,
  ownId: BatchId,
  nowMs: number,
): readonly PlanningCluster[] {
  const unseen = new Map<ClusterId, { vcpus: number; memoryMiB: number }>();
  const add = (clusterId: ClusterId, vcpus: number, memoryMiB: number): void => {
    const sum = unseen.get(clusterId) ?? { vcpus: 0, memoryMiB: 0 };
    unseen.set(clusterId, { vcpus: sum.vcpus + vcpus, memoryMiB: sum.memoryMiB + memoryMiB });
  };
  for (const vm of db.vms.values()) {
    const { clusterId, assignedSeq } = vm;
    const capacitySeq = clusterId === null ? undefined : db.clusters.get(clusterId)?.capacitySeq;
    if (clusterId === null || capacitySeq === undefined || vm.state === 'deleted') continue;
    if ((assignedSeq ?? 0) > capacitySeq) {
      add(clusterId, vm.vcpus, vm.memoryMiB + VM_MEMORY_OVERHEAD_MIB);
    }
  }
  for (const shares of db.shares.values()) {
    for (const share of shares) {
      if (share.state !== 'declined') add(share.clusterId, share.totalVcpus, 0);
    }
  }
  heldFromOthers(db, ownId, nowMs, add);
  const given = givenOf(db);
  return [...db.clusters.values()].map((cluster) => ({
    id: cluster.id,
    name: cluster.name,
    lastSeenAtMs: cluster.lastSeenAtMs,
    silentSinceMs: cluster.silentSinceMs,
    capacity: cluster.fullCapacity,
    unseenVcpus: unseen.get(cluster.id)?.vcpus ?? 0,
    unseenMemoryMiB: unseen.get(cluster.id)?.memoryMiB ?? 0,
    lastCommandSeq: cluster.lastCommandSeq,
    ...{ region: cluster.region, attributes: cluster.attributes, state: cluster.state },
    admission: admissionOf(cluster, given.get(cluster.id)),
  }));
}

function admissionOf({ caps }: MemoryCluster, given: ClusterGiven | undefined): Admission | null {
  if (Object.keys(caps).length === 0) return null;
  return { caps, given: given ?? { vms: 0, vcpus: 0, memoryMiB: 0 } };
}

function apply(
  db: MemoryDatabase,
  batch: BatchRecord,
  outcome: PlanningOutcome,
  nowMs: number,
): void {
  for (const vm of [...outcome.newVms, ...outcome.changedVms]) db.putVm(vm);
  for (const { subnetId, offset, vmId } of outcome.takenAddresses) {
    db.addresses.take(subnetId, offset, vmId);
  }
  for (const { clusterId, command } of outcome.commands) db.appendCommands(clusterId, [command]);
  if (outcome.shares.length === 0) db.shares.delete(batch.id);
  else db.shares.set(batch.id, outcome.shares);
  db.batches.set(batch.id, { ...batch, ...outcome.batch, plannedAtMs: nowMs });
  for (const [subnetId, nextOffset] of outcome.nextOffsets) {
    const subnet = db.subnets.get(subnetId);
    if (subnet !== undefined) db.subnets.set(subnetId, { ...subnet, nextOffset });
  }
  const clusters = [...new Set(outcome.commands.map((each) => each.clusterId))];
  db.wake({ clusters, batches: [batch.id] });
}

function sweep(db: MemoryDatabase, nowMs: number, limits: SweepLimits): SweepResult {
  const touched = new Set<BatchId>();
  const vmsFailed =
    failPending(db, nowMs, limits, touched) + failUnheard(db, nowMs, limits, touched);
  const batchesClosed = closeBatches(db, nowMs, limits, touched);
  const expired = [...db.operations.values()].filter(
    (each) => each.state === 'running' && each.deadlineAtMs < nowMs,
  );
  for (const operation of expired) {
    const message = 'Nothing was heard of it in time.';
    const failed = { ...operation, state: 'failed', message, finishedAtMs: nowMs } as const;
    db.operations.set(operation.id, failed);
  }
  const recordsForgotten = forget(db, nowMs, limits);
  if (touched.size + expired.length > 0) {
    db.wake({ batches: [...touched], operations: expired.map((each) => each.id) });
  }
  return { vmsFailed, batchesClosed, operationsExpired: expired.length, recordsForgotten };
}

function failPending(
  db: MemoryDatabase,
  nowMs: number,
  limits: SweepLimits,
  touched: Set<BatchId>,
): number {
  const overdue = [...db.vms.values()].filter(
    (vm) =>
      vm.clusterId === null &&
      vm.state === 'pending' &&
      vm.stateSinceMs < nowMs - limits.pendingMs &&
      (db.terms.get(vm.batchId)?.deadlineAtMs ?? 0) < nowMs,
  );
  for (const vm of overdue) {
    const ofBatch = db.batches.get(vm.batchId)?.pendingReason;
    const message = vm.message ?? ofBatch ?? 'No cluster had room for it in time.';
    const reason = vm.reason ?? 'NO_CAPACITY';
    db.putVm({ ...vm, state: 'failed', stateSinceMs: nowMs, reason, message });
    touched.add(vm.batchId);
  }
  return overdue.length;
}

/** Whether the cluster was heard all the time: of a silent one nothing is decided. */
function isHeardSince(
  db: MemoryDatabase,
  id: ClusterId | null,
  nowMs: number,
  { silentMs, scheduledMs }: SweepLimits,
): boolean {
  const cluster = id === null ? undefined : db.clusters.get(id);
  if (cluster?.lastSeenAtMs == null) return false;
  return cluster.lastSeenAtMs >= nowMs - silentMs && cluster.heardSinceMs < nowMs - scheduledMs;
}

function failUnheard(
  db: MemoryDatabase,
  nowMs: number,
  limits: SweepLimits,
  touched: Set<BatchId>,
): number {
  const overdue = [...db.vms.values()].filter(
    (vm) =>
      (vm.state === 'scheduled' || vm.state === 'launching') &&
      vm.stateSinceMs < nowMs - limits.scheduledMs &&
      isHeardSince(db, vm.clusterId, nowMs, limits),
  );
  for (const vm of overdue) {
    const message = `${UNHEARD} ${vm.message ?? ''}`.trim();
    const failed = { state: 'failed', stateSinceMs: nowMs, reason: 'DEADLINE_EXCEEDED' } as const;
    db.putVm({ ...vm, ...failed, message });
    touched.add(vm.batchId);
  }
  return overdue.length;
}

function closeBatches(
  db: MemoryDatabase,
  nowMs: number,
  limits: SweepLimits,
  touched: Set<BatchId>,
): number {
  let closed = 0;
  for (const batch of db.batches.values()) {
    const vms = db.vmsOf(batch.id);
    const isWaiting = vms.some((vm) => vm.clusterId === null && vm.state === 'pending');
    const isOverdue =
      batch.needsPlanning &&
      batch.createdAtMs < nowMs - limits.pendingMs &&
      (db.terms.get(batch.id)?.deadlineAtMs ?? 0) < nowMs;
    const isGone = batch.state === 'deleting' && vms.every((vm) => vm.state === 'deleted');
    if (isGone) db.batches.set(batch.id, { ...batch, state: 'deleted' });
    else if (isOverdue && !isWaiting) {
      db.batches.set(batch.id, { ...batch, state: 'active', needsPlanning: false });
      db.shares.delete(batch.id);
    } else continue;
    touched.add(batch.id);
    closed += 1;
  }
  return closed;
}

function forget(db: MemoryDatabase, nowMs: number, limits: SweepLimits): number {
  let forgotten = 0;
  for (const [id, { createdAtMs }] of db.batchOperations) {
    if (createdAtMs >= nowMs - limits.idempotencyKeptMs) continue;
    for (const { parentId, id: partId } of db.operations.values()) {
      if (parentId === id) db.operations.delete(partId);
    }
    if (db.batchOperations.delete(id)) forgotten += 1;
  }
  for (const [id, { state, finishedAtMs }] of db.operations) {
    const isOld = state !== 'running' && (finishedAtMs ?? 0) < nowMs - limits.operationsKeptMs;
    if (isOld && db.operations.delete(id)) forgotten += 1;
  }
  for (const [nonce, seenAtMs] of db.nonces) {
    if (seenAtMs < nowMs - limits.noncesKeptMs && db.nonces.delete(nonce)) forgotten += 1;
  }
  for (const [id, { expiresAtMs }] of db.consoleTickets) {
    const isOld = expiresAtMs < nowMs - limits.noncesKeptMs;
    if (isOld && db.consoleTickets.delete(id)) forgotten += 1;
  }
  return forgotten;
}

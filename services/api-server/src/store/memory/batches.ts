import type { ProjectId } from '@factory/contracts';
import type {
  BatchListQuery,
  BatchRecord,
  BatchStore,
  CreateBatchResult,
  Idempotency,
} from '../../batches/store.ts';
import { usableAddresses } from '../../planning/addresses.ts';
import { wishCommands } from '../../planning/assignments.ts';
import { decideWish } from '../../vms/wishes.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link BatchStore}. */
export function createMemoryBatches(db: MemoryDatabase): BatchStore {
  return {
    create: async (batch, idempotency, nowMs) => create(db, batch, idempotency, nowMs),
    list: async (query) => list(db, query).map((batch) => db.viewOf(batch)),
    find: async (projectId, id) => {
      const batch = db.batches.get(id);
      return batch?.projectId === projectId ? db.viewOf(batch) : undefined;
    },
    delete: async (projectId, id, nowMs) => {
      const batch = db.batches.get(id);
      if (batch?.projectId !== projectId) return undefined;
      const deleted = deleteBatch(db, batch, nowMs);
      return db.viewOf(deleted);
    },
  };
}

function create(
  db: MemoryDatabase,
  batch: BatchRecord,
  idempotency: Idempotency | undefined,
  nowMs: number,
): CreateBatchResult {
  const key = `${batch.projectId} ${idempotency?.key}`;
  const known = idempotency === undefined ? undefined : db.idempotency.get(key);
  if (known !== undefined) {
    return known.requestHash === idempotency?.requestHash
      ? { kind: 'repeated', answer: known.answer }
      : { kind: 'keyReused' };
  }
  const all = [...db.batches.values()].filter((each) => each.projectId === batch.projectId);
  const same = all.find((each) => each.name === batch.name && each.state !== 'deleted');
  if (same !== undefined) return { kind: 'nameTaken', batchId: same.id };
  const freeAddresses = countFree(db, batch.projectId, all);
  if (freeAddresses === undefined) return { kind: 'noSubnet' };
  if (batch.size.kind === 'count' && batch.size.count > freeAddresses) {
    return { kind: 'subnetFull', freeAddresses };
  }
  db.batches.set(batch.id, batch);
  if (idempotency !== undefined) {
    const { requestHash, answer } = idempotency;
    db.idempotency.set(key, { requestHash, answer, createdAtMs: nowMs });
  }
  return { kind: 'created' };
}

/** Addresses that neither a machine nor an accepted batch has. */
function countFree(
  db: MemoryDatabase,
  projectId: ProjectId,
  batches: readonly BatchRecord[],
): number | undefined {
  const subnet = db.subnets.get(projectId);
  if (subnet === undefined) return undefined;
  const used = [...db.vms.values()].filter(
    (vm) => vm.subnetId === subnet.id && vm.state !== 'deleted',
  ).length;
  const promised = batches
    .filter((batch) => batch.state === 'accepted')
    .reduce((sum, { size }) => sum + (size.kind === 'count' ? size.count : 0), 0);
  return usableAddresses(subnet.cidr) - used - promised;
}

function list(db: MemoryDatabase, query: BatchListQuery): readonly BatchRecord[] {
  const { projectId, name, state, withDeleted, after = '', limit } = query;
  return [...db.batches.values()]
    .filter(
      (batch) =>
        batch.projectId === projectId &&
        batch.id > after &&
        (name === undefined || batch.name === name) &&
        (state === undefined || batch.state === state) &&
        (withDeleted || state === 'deleted' || batch.state !== 'deleted'),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

function deleteBatch(db: MemoryDatabase, batch: BatchRecord, nowMs: number): BatchRecord {
  if (batch.state === 'deleted') return batch;
  const changed = db.vmsOf(batch.id).flatMap((vm) => {
    if (vm.state === 'deleted') return [];
    const decision = decideWish(vm, 'delete', nowMs);
    return decision.kind === 'changed' ? [decision.vm] : [];
  });
  for (const vm of changed) db.putVm(vm);
  const commands = wishCommands(changed);
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  const isGone = db.vmsOf(batch.id).every((vm) => vm.state === 'deleted');
  const state = isGone ? 'deleted' : 'deleting';
  const deleted = { ...batch, state, needsPlanning: false, pendingReason: null } as const;
  db.batches.set(batch.id, deleted);
  db.shares.delete(batch.id);
  db.wake({ clusters: [...commands.keys()], batches: [batch.id] });
  return deleted;
}

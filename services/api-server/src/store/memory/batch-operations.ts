import { BATCH_LIMITS } from '@factory/contracts';
import { type BatchPart, commandsOf } from '../../operations/batch-plan.ts';
import type {
  BatchOperationRecord,
  BatchOperationView,
  OperationStore,
  StartOnBatchResult,
} from '../../operations/store.ts';
import { specOf } from '../../planning/assignments.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link OperationStore}. */
export function createMemoryBatchOperations(
  db: MemoryDatabase,
): Pick<OperationStore, 'startOnBatch' | 'startOnMany' | 'findOnBatch' | 'results'> {
  return {
    startOnBatch: async (operation, plan) => {
      const { batchId, projectId } = operation;
      const batch = batchId === null ? undefined : db.batches.get(batchId);
      if (batch?.projectId !== projectId) return { kind: 'notFound' };
      const known = findKnown(db, operation);
      if (known !== undefined) return known;
      const vms = db.vmsOf(batch.id).filter((vm) => vm.state !== 'deleted');
      return begin(db, operation, vms, plan);
    },
    startOnMany: async (operation, { ids, filter = {} }, plan) => {
      const known = findKnown(db, operation);
      if (known !== undefined) return known;
      const vms = [...db.vms.values()].filter((vm) => {
        const labels = db.batches.get(vm.batchId)?.labels ?? {};
        return (
          vm.projectId === operation.projectId &&
          vm.state !== 'deleted' &&
          (ids === undefined || ids.includes(vm.id)) &&
          (filter.batchId === undefined || filter.batchId === vm.batchId) &&
          (filter.state === undefined || filter.state === vm.state) &&
          Object.entries(filter.labels ?? {}).every(([key, text]) => labels[key] === text)
        );
      });
      if (vms.length > BATCH_LIMITS.countMax) return { kind: 'tooMany' };
      if (ids !== undefined && vms.length < ids.length) return { kind: 'notFound' };
      return begin(db, operation, vms, plan);
    },
    findOnBatch: async (projectId, id) => {
      const found = db.batchOperations.get(id);
      return found?.projectId === projectId ? viewOf(db, found) : undefined;
    },
    results: async ({ projectId, id, state, after = '', limit }) =>
      [...db.operations.values()]
        .filter(
          (each) =>
            each.parentId === id &&
            each.projectId === projectId &&
            each.id > after &&
            (state === undefined || each.state === state),
        )
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit),
  };
}

/** What its key was used for before. */
function findKnown(
  db: MemoryDatabase,
  { projectId, idempotencyKey, requestHash }: BatchOperationRecord,
): StartOnBatchResult | undefined {
  if (idempotencyKey === null) return undefined;
  const known = [...db.batchOperations.values()].find(
    (each) => each.projectId === projectId && each.idempotencyKey === idempotencyKey,
  );
  if (known === undefined) return undefined;
  if (known.requestHash !== requestHash) return { kind: 'keyReused' };
  return { kind: 'started', view: viewOf(db, known), needsPlanning: false };
}

function begin(
  db: MemoryDatabase,
  operation: BatchOperationRecord,
  vms: readonly VmRecord[],
  plan: (vms: readonly VmRecord[]) => readonly BatchPart[],
): StartOnBatchResult {
  db.batchOperations.set(operation.id, operation);
  const parts = plan([...vms].sort((a, b) => (a.id < b.id ? -1 : 1)));
  const wished = parts.flatMap((part) => (part.wished === undefined ? [] : [part.wished.vm]));
  for (const vm of wished) db.putVm(vm);
  const waiting = wished.filter((vm) => vm.clusterId === null && vm.state === 'pending');
  for (const { batchId } of waiting) {
    const batch = db.batches.get(batchId);
    if (batch === undefined) continue;
    db.batches.set(batchId, { ...batch, state: 'planning', needsPlanning: true });
  }
  for (const part of parts) db.operations.set(part.operation.id, part.operation);
  const commands = commandsOf(parts, (vm) => {
    const batch = db.batches.get(vm.batchId);
    if (batch === undefined) throw new Error(`${vm.id} has no batch`);
    return specOf(vm, batch, db.subnets);
  });
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  const batches = [...new Set(vms.map(({ batchId }) => batchId))];
  db.wake({ clusters: [...commands.keys()], batches });
  return { kind: 'started', view: viewOf(db, operation), needsPlanning: waiting.length > 0 };
}

function viewOf(db: MemoryDatabase, operation: BatchOperationRecord): BatchOperationView {
  const { id, batchId, kind, createdAtMs } = operation;
  const counts = { running: 0, succeeded: 0, failed: 0 };
  for (const each of db.operations.values()) if (each.parentId === id) counts[each.state] += 1;
  return { id, batchId, kind, createdAtMs, counts };
}

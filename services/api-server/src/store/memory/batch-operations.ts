import { commandsOf } from '../../operations/batch-plan.ts';
import type {
  BatchOperationRecord,
  BatchOperationView,
  OperationStore,
} from '../../operations/store.ts';
import { specOf } from '../../planning/assignments.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link OperationStore}. */
export function createMemoryBatchOperations(
  db: MemoryDatabase,
): Pick<OperationStore, 'startOnBatch' | 'findOnBatch' | 'results'> {
  return {
    startOnBatch: async (operation, plan) => {
      const { batchId, projectId, idempotencyKey, requestHash } = operation;
      const batch = db.batches.get(batchId);
      if (batch?.projectId !== projectId) return { kind: 'notFound' };
      const known = [...db.batchOperations.values()].find(
        (each) =>
          idempotencyKey !== null &&
          each.projectId === projectId &&
          each.idempotencyKey === idempotencyKey,
      );
      if (known !== undefined && known.requestHash !== requestHash) return { kind: 'keyReused' };
      if (known !== undefined) {
        return { kind: 'started', view: viewOf(db, known), needsPlanning: false };
      }
      db.batchOperations.set(operation.id, operation);
      const vms = db.vmsOf(batchId).filter((vm) => vm.state !== 'deleted');
      const parts = plan([...vms].sort((a, b) => (a.id < b.id ? -1 : 1)));
      const wished = parts.flatMap((part) => (part.wished === undefined ? [] : [part.wished.vm]));
      for (const vm of wished) db.putVm(vm);
      const needsPlanning = wished.some((vm) => vm.clusterId === null && vm.state === 'pending');
      if (needsPlanning) {
        db.batches.set(batchId, { ...batch, state: 'planning', needsPlanning: true });
      }
      for (const part of parts) db.operations.set(part.operation.id, part.operation);
      const commands = commandsOf(parts, (vm) => specOf(vm, batch, db.subnets));
      for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
      db.wake({ clusters: [...commands.keys()], batches: [batchId] });
      return { kind: 'started', view: viewOf(db, operation), needsPlanning };
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

function viewOf(db: MemoryDatabase, operation: BatchOperationRecord): BatchOperationView {
  const { id, batchId, kind, createdAtMs } = operation;
  const counts = { running: 0, succeeded: 0, failed: 0 };
  for (const each of db.operations.values()) if (each.parentId === id) counts[each.state] += 1;
  return { id, batchId, kind, createdAtMs, counts };
}

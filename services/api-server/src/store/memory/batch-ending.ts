import type { BatchRecord } from '../../batches/store.ts';
import { wishCommands } from '../../planning/assignments.ts';
import type { VmRecord } from '../../vms/store.ts';
import { decideWish } from '../../vms/wishes.ts';
import type { MemoryDatabase } from './database.ts';
import { keepReport } from './reports.ts';

/** Wishes all machines of a batch away; it is over once they are gone. */
export function deleteBatch(db: MemoryDatabase, batch: BatchRecord, nowMs: number): BatchRecord {
  if (batch.state === 'deleted') return batch;
  keepReport(db, batch.id, nowMs);
  wishAway(db, db.vmsOf(batch.id), nowMs);
  const isGone = db.vmsOf(batch.id).every((vm) => vm.state === 'deleted');
  return endPlanning(db, batch, isGone ? 'deleted' : 'deleting');
}

/** Ends the planning of a batch. */
export function endPlanning(
  db: MemoryDatabase,
  batch: BatchRecord,
  state: BatchRecord['state'],
): BatchRecord {
  const ended: BatchRecord = { ...batch, state, needsPlanning: false, pendingReason: null };
  db.batches.set(batch.id, ended);
  db.shares.delete(batch.id);
  db.wake({ batches: [batch.id] });
  return ended;
}

/** Wishes machines away, and tells their clusters. */
export function wishAway(db: MemoryDatabase, vms: readonly VmRecord[], nowMs: number): void {
  const changed = vms.flatMap((vm) => {
    if (vm.state === 'deleted') return [];
    const decision = decideWish(vm, 'delete', nowMs);
    return decision.kind === 'changed' ? [decision.vm] : [];
  });
  for (const vm of changed) db.putVm(vm);
  const commands = wishCommands(changed);
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  db.wake({ clusters: [...commands.keys()] });
}

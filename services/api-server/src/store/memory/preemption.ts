import type { ClusterId, VmId } from '@factory/contracts';
import { wishCommands } from '../../planning/assignments.ts';
import type { Preemptible } from '../../planning/preempt.ts';
import { PREEMPTED } from '../../planning/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See `PlanningStore.preemptible`. */
export function preemptible(
  db: MemoryDatabase,
  clusterIds: readonly ClusterId[],
): readonly Preemptible[] {
  return [...db.vms.values()].flatMap((vm) => {
    const { id, clusterId, hostName, vcpus, memoryMiB, createdAtMs, desired, state } = vm;
    const batch = db.batches.get(vm.batchId);
    const isThere = state !== 'deleted' && state !== 'failed' && state !== 'unreachable';
    if (batch?.preemptible !== true || clusterId === null || hostName === null || !isThere) {
      return [];
    }
    if (!clusterIds.includes(clusterId)) return [];
    const isLeaving = desired === 'deleted';
    const { priority } = batch;
    return [{ id, clusterId, hostName, vcpus, memoryMiB, createdAtMs, priority, isLeaving }];
  });
}

/** See `PlanningStore.preempt`. */
export function preempt(db: MemoryDatabase, vmIds: readonly VmId[]): number {
  const vms = vmIds.flatMap((id) => {
    const vm = db.vms.get(id);
    const isFree =
      vm !== undefined &&
      vm.desired !== 'deleted' &&
      vm.clusterId !== null &&
      vm.state !== 'deleted' &&
      db.batches.get(vm.batchId)?.preemptible === true;
    if (!isFree) return [];
    return [{ ...vm, desired: 'deleted' as const, generation: vm.generation + 1, ...PREEMPTED }];
  });
  for (const vm of vms) {
    db.putVm(vm);
    const batch = db.batches.get(vm.batchId);
    if (batch !== undefined) {
      db.batches.set(batch.id, { ...batch, preempted: batch.preempted + 1 });
    }
  }
  const commands = wishCommands(vms);
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  const batches = [...new Set(vms.map((vm) => vm.batchId))];
  if (vms.length > 0) db.wake({ clusters: [...commands.keys()], batches });
  return vms.length;
}

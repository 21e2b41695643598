import type { BatchId } from '@factory/contracts';
import type { ExchangeNews } from '../../clusters/store.ts';
import type { StuckMachines } from '../../planning/store.ts';
import {
  givenBack,
  isGivenBack,
  WITHDRAW_FEATURE,
  withdrawCommands,
} from '../../planning/withdraw.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryDatabase } from './database.ts';
import { planAgain } from './take-back.ts';

/** See `PlanningStore.stuck`. */
export function stuck(
  db: MemoryDatabase,
  beforeMs: number,
  limit: number,
): readonly StuckMachines[] {
  const isStuck = (vm: VmRecord): boolean => {
    const cluster = vm.clusterId === null ? undefined : db.clusters.get(vm.clusterId);
    if (cluster === undefined || vm.state !== 'scheduled' || vm.desired === 'deleted') return false;
    const isTaken =
      cluster.features.includes(WITHDRAW_FEATURE) && (vm.assignedSeq ?? 0) <= cluster.ackedSeq;
    const isWaiting = vm.revision > 0 && vm.reason === 'NO_CAPACITY' && vm.hostName === null;
    return isTaken && isWaiting && vm.stateSinceMs < beforeMs;
  };
  const all = [...db.vms.values()].filter(isStuck).slice(0, limit);
  return [...Map.groupBy(all, (vm) => vm.batchId)].flatMap(([id, vms]) => {
    const batch = db.batches.get(id);
    return batch === undefined ? [] : [{ batch, vms }];
  });
}

/** See `PlanningStore.askBack`. */
export function askBack(db: MemoryDatabase, vms: readonly VmRecord[]): void {
  const commands = withdrawCommands(vms);
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  db.wake({ clusters: [...commands.keys()] });
}

/** Takes what a cluster has given back; gives the batches of these machines. */
export function takeGivenBack(db: MemoryDatabase, news: ExchangeNews): readonly BatchId[] {
  const batchIds = new Set<BatchId>();
  for (const report of news.vms.filter(isGivenBack)) {
    const vm = db.vms.get(report.vmId);
    const isOurs =
      vm?.clusterId === news.clusterId && vm.assignmentEpoch === report.assignmentEpoch;
    const back = isOurs ? givenBack(vm, news.nowMs) : undefined;
    if (back === undefined) continue;
    db.putVm(back);
    planAgain(db, back.batchId);
    batchIds.add(back.batchId);
  }
  return [...batchIds];
}

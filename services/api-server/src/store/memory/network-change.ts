import { isToldAtOnce, networkCommands, wishedAgain } from '../../subnets/network-change.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryDatabase } from './database.ts';

/** Tells the machines' hosts how their networks are now. */
export function tellOfNetworks(db: MemoryDatabase, vms: readonly VmRecord[]): void {
  const told = vms.filter(isToldAtOnce).map(wishedAgain);
  for (const [batchId, ofBatch] of Map.groupBy(told, (vm) => vm.batchId)) {
    const batch = db.batches.get(batchId);
    if (batch === undefined) throw new Error(`there is no batch ${batchId}`);
    for (const vm of ofBatch) db.putVm(vm);
    const commands = networkCommands(ofBatch, batch, db.subnets);
    for (const [clusterId, command] of commands) db.appendCommands(clusterId, [command]);
    db.wake({ clusters: commands.map(([clusterId]) => clusterId), batches: [batchId] });
  }
}

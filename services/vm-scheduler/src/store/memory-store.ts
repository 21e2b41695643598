import { type VmRecord, vmIdOf } from '../vm-record.ts';
import type { OperationRecord, SchedulerStore, StoreChanges } from './store.ts';

/** A store for simulations and tests: outlives the scheduler object, not the process. */
export function createMemoryStore(): SchedulerStore {
  const vms = new Map<string, VmRecord>();
  const operations = new Map<string, OperationRecord>();
  let frameworkId: string | undefined;
  return {
    load: async () => ({
      frameworkId,
      vms: [...vms.values()],
      operations: [...operations.values()],
    }),
    saveFrameworkId: async (id) => {
      frameworkId = id;
    },
    save: async (changes: StoreChanges) => {
      for (const vm of changes.vms) vms.set(vmIdOf(vm), vm);
      for (const operation of changes.operations) {
        operations.set(operation.request.operationId, operation);
      }
      for (const id of changes.removedVmIds) vms.delete(id);
      for (const id of changes.removedOperationIds) operations.delete(id);
    },
  };
}

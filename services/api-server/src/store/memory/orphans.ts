import type { OrphanStore } from '../../orphans/store.ts';
import { assignmentOf } from '../../planning/assignments.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link OrphanStore}. */
export function createMemoryOrphans(db: MemoryDatabase): OrphanStore {
  return {
    give: async (projectId, { vmId, clusterId, hostName }, decide) => {
      const vm = db.vms.get(vmId);
      const batch = vm && db.batches.get(vm.batchId);
      if (vm?.projectId !== projectId || batch === undefined) return { kind: 'notFound' };
      const decision = decide(vm);
      if (decision.kind === 'refused') return decision;
      const given = { ...vm, assignmentEpoch: vm.assignmentEpoch + 1 };
      const vms = [{ ...assignmentOf(given, batch, db.subnets), lastHost: hostName }];
      const assignedSeq = db.appendCommands(clusterId, [{ kind: 'assignVms', vms }]);
      db.putVm({ ...given, assignedSeq });
      db.wake({ clusters: [clusterId] });
      return decision;
    },
  };
}

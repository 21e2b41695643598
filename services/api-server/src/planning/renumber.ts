import type { ClusterId } from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';
import type { PlanningOutcome } from './store.ts';

/** How far commands have to be moved in their clusters' logs: others were appended meanwhile. */
export type Shifts = ReadonlyMap<ClusterId, number>;

/**
 * The outcome of a decision that numbered its commands while the logs were not locked, as it is to
 * be written now that they are. Pure.
 */
export function renumbered(outcome: PlanningOutcome, shifts: Shifts): PlanningOutcome {
  if ([...shifts.values()].every((shift) => shift === 0)) return outcome;
  const shiftOf = (clusterId: ClusterId): number => shifts.get(clusterId) ?? 0;
  const assigned = (vm: VmRecord): VmRecord =>
    vm.clusterId === null || vm.assignedSeq === null
      ? vm
      : { ...vm, assignedSeq: vm.assignedSeq + shiftOf(vm.clusterId) };
  return {
    ...outcome,
    newVms: outcome.newVms.map(assigned),
    changedVms: outcome.changedVms.map(assigned),
    commands: outcome.commands.map((each) => ({
      ...each,
      seq: each.seq + shiftOf(each.clusterId),
    })),
  };
}

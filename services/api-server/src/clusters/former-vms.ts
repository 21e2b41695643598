import { LINK_LIMITS, type LinkCommand, type VmReport } from '@factory/contracts';
import { chunk } from '../planning/assignments.ts';
import type { VmRecord } from '../vms/store.ts';

/** A machine that a cluster speaks of by an epoch that is over. */
export type FormerVm = Pick<VmReport, 'vmId' | 'assignmentEpoch' | 'generation'>;

/** What a cluster says of a machine that has been given anew since; nothing when that is deleted. */
export function formerVm(vm: VmRecord | undefined, report: VmReport): readonly FormerVm[] {
  if (vm === undefined || report.state === 'deleted') return [];
  const { vmId, assignmentEpoch } = report;
  if (assignmentEpoch >= vm.assignmentEpoch) return [];
  return [{ vmId, assignmentEpoch, generation: Math.max(vm.generation, report.generation) }];
}

/**
 * Commands for a cluster to delete machines that are another's by now, or its own in a later life:
 * they are fenced by the epoch that it spoke of. A machine of which nothing is known is left alone.
 */
export function farewell(former: readonly FormerVm[]): readonly LinkCommand[] {
  const changes = former.map(({ vmId, assignmentEpoch, generation }) => ({
    ...{ vmId, assignmentEpoch },
    ...{ generation: generation + 1, desired: 'deleted' as const },
  }));
  return chunk(changes, LINK_LIMITS.vmsPerCommandMax).map((piece) => ({
    kind: 'setDesired',
    changes: piece,
  }));
}

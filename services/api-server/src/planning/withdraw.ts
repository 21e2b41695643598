import type { ClusterId, LinkCommand, VmReport } from '@factory/contracts';
import { LINK_LIMITS } from '@factory/contracts';
import { refusedVm } from '../clusters/refusals.ts';
import type { VmRecord } from '../vms/store.ts';
import { chunk } from './assignments.ts';
import { selectForMachines } from './cluster-selection.ts';
import { candidatesFor } from './place.ts';
import type { PreviewSnapshot } from './preview.ts';

/** The feature of clusters that give machines back which they have not placed. */
export const WITHDRAW_FEATURE = 'withdrawVms';
/** A machine that its cluster finds no room for is asked back after so long, if another has room. */
export const STUCK_MS = 30_000;
/** A cluster that had no room may have some again after this time. */
const FULL_FOR_MS = 5 * 60_000;

/**
 * Which of a batch's machines that wait at full clusters to ask back: as many as other clusters have
 * room for now. Pure.
 */
export function chooseWithdrawn(
  snapshot: PreviewSnapshot,
  stuck: readonly VmRecord[],
): readonly VmRecord[] {
  const { image, imageVersion, wishes } = snapshot.batch;
  // Machines that are to be together, or apart, are so within one cluster.
  if (wishes.group !== undefined) return [];
  const free = stuck.filter((vm) => vm.volumes.length === 0 && vm.desired !== 'deleted');
  const alike = Map.groupBy(free, (vm) => `${vm.clusterId} ${vm.vcpus} ${vm.memoryMiB}`);
  // Each group by itself: what the next one finds taken, it asks for at the next sweep.
  const [group = []] = alike.values();
  const [first] = group;
  if (first === undefined) return [];
  const shape = { vcpus: first.vcpus, memoryMiB: first.memoryMiB };
  const demand = { image, imageVersion, wishes, shape, count: group.length, outOf: group.length };
  const others = candidatesFor(snapshot, first).filter(({ id }) => id !== first.clusterId);
  const { unplaced } = selectForMachines(demand, others);
  return group.slice(0, group.length - unplaced);
}

/** Asks a cluster for machines that it has not placed. */
export function withdrawCommands(vms: readonly VmRecord[]): ReadonlyMap<ClusterId, LinkCommand[]> {
  const commands = new Map<ClusterId, LinkCommand[]>();
  for (const [clusterId, all] of Map.groupBy(vms, (vm) => vm.clusterId)) {
    if (clusterId === null) continue;
    const asked = all.map(({ id: vmId, assignmentEpoch }) => ({ vmId, assignmentEpoch }));
    const pieces = chunk(asked, LINK_LIMITS.vmsPerCommandMax);
    commands.set(
      clusterId,
      pieces.map((piece) => ({ kind: 'withdrawVms', vms: piece })),
    );
  }
  return commands;
}

/** Whether a cluster says that it has given a machine up which it never placed. */
export function isGivenBack({ state, reason }: Pick<VmReport, 'state' | 'reason'>): boolean {
  return state === 'deleted' && reason === 'WITHDRAWN';
}

/**
 * A machine that its cluster has given back: another is to have it. `undefined` when it is to be
 * deleted, and so is gone. Pure.
 */
export function givenBack(vm: VmRecord, nowMs: number): VmRecord | undefined {
  if (vm.desired === 'deleted' || vm.state === 'deleted') return undefined;
  return refusedVm(vm, 'had no room for it', nowMs, nowMs + FULL_FOR_MS);
}

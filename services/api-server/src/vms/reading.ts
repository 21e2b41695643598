import { VM_STATES, type VmState } from '@factory/contracts';
import type { StateTally } from '../batches/store.ts';
import type { Silence } from '../clusters/connection.ts';
import type { VmRecord } from './store.ts';

/**
 * States that are a cluster's to tell: while it is silent, nobody knows whether they still hold. A
 * machine without a cluster is `pending`; what is `failed` or `deleted` stays so.
 */
export const TOLD_STATES: readonly VmState[] = VM_STATES.filter(
  (state) => !['pending', 'failed', 'deleted'].includes(state),
);

/**
 * The machine as it reads: that of a silent cluster is `unreachable` since the cluster's last word.
 * Derived, never kept: when the cluster is back it tells only what has changed.
 */
export function readVm(vm: VmRecord, silence: Silence): VmRecord {
  const sinceMs = vm.clusterId === null ? undefined : silence.get(vm.clusterId);
  if (sinceMs === undefined || vm.state === 'unreachable') return vm;
  if (!TOLD_STATES.includes(vm.state)) return vm;
  return {
    ...vm,
    state: 'unreachable',
    stateSinceMs: Math.max(sinceMs, vm.stateSinceMs),
    guestReady: false,
    reason: 'CLUSTER_SILENT',
    message: `Its cluster is silent. It was ${vm.state} when the cluster was last heard.`,
  };
}

/** Tallies by cluster, as they read: see {@link readVm}. In the order of the states' names. */
export function readTallies(
  tallies: readonly StateTally[],
  silence: Silence,
): readonly StateTally[] {
  const read = new Map<VmState, StateTally>();
  for (const { state, clusterId, count, readyCount } of tallies) {
    const isSilent = clusterId !== null && silence.has(clusterId) && TOLD_STATES.includes(state);
    const shown = isSilent ? 'unreachable' : state;
    const sum = read.get(shown) ?? { count: 0, readyCount: 0 };
    read.set(shown, {
      state: shown,
      clusterId: null,
      count: sum.count + count,
      readyCount: sum.readyCount + (isSilent ? 0 : readyCount),
    });
  }
  return [...read.values()].sort((a, b) => (a.state < b.state ? -1 : 1));
}

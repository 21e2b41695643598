import type { ClusterId, Refusal } from '@factory/contracts';
import { withoutCluster } from '../planning/reassign.ts';
import type { VmRecord } from '../vms/store.ts';

/**
 * What follows from a refusal:
 * - `none`: it is about an older wish, or the machine is gone;
 * - `gone`: it was to be deleted, and no cluster ever had it;
 * - `giveAgain`: its cluster has lost it, and is given it again with the present wish;
 * - `elsewhere`: it would not have it, and another cluster may be asked;
 * - `fail`: it fails, with the cluster's words.
 */
export type RefusalOutcome = 'none' | 'gone' | 'giveAgain' | 'elsewhere' | 'fail';

/**
 * See {@link RefusalOutcome}. `vm` is that of the cluster which refused; `others` are all other
 * clusters that may be given machines. Pure.
 */
export function decideRefusal(
  vm: Pick<VmRecord, 'state' | 'desired' | 'generation' | 'revision' | 'volumes' | 'excluded'>,
  refusal: Pick<Refusal, 'kind' | 'generation'>,
  others: readonly ClusterId[],
): RefusalOutcome {
  if (vm.state === 'deleted' || refusal.generation !== vm.generation) return 'none';
  if (vm.desired === 'deleted' && vm.revision === 0) return 'gone';
  if (refusal.kind === 'unknown') return 'giveAgain';
  // The first generation is that of being given: of a later one it may refuse only the wish, and
  // have the machine. What was refused, each by itself, is nowhere in that cluster.
  const isNotTaken = refusal.generation === 1 && vm.revision === 0 && vm.volumes.length === 0;
  const isOtherLeft = others.some((id) => vm.excluded.every((each) => each.clusterId !== id));
  return isNotTaken && isOtherLeft ? 'elsewhere' : 'fail';
}

/** Words of clusters that are kept with a machine. */
const WORDS_MAX = 300;

/**
 * What a machine becomes that its cluster would not have, before `untilMs` or ever: another is looked
 * for.
 */
export function refusedVm(vm: VmRecord, why: string, nowMs: number, untilMs?: number): VmRecord {
  const { clusterId } = vm;
  const until = untilMs === undefined ? {} : { untilMs };
  const reason = why.length > WORDS_MAX ? `${why.slice(0, WORDS_MAX)}…` : why;
  return {
    ...withoutCluster(vm),
    state: 'pending',
    stateSinceMs: nowMs,
    reason: null,
    message: null,
    excluded: clusterId === null ? vm.excluded : [...vm.excluded, { clusterId, reason, ...until }],
  };
}

/** What a machine becomes when its cluster refused what was wished of it. */
export function failedByRefusal({ message }: Refusal, nowMs: number) {
  return {
    state: 'failed',
    stateSinceMs: nowMs,
    guestReady: false,
    reason: 'COMMAND_REFUSED',
    message: `Its cluster refused what was wished: ${message}`,
  } as const;
}

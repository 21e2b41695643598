import type { Refusal } from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';

/**
 * What follows from a refusal:
 * - `none`: it is about an older wish, or the machine is gone;
 * - `gone`: it was to be deleted, and no cluster ever had it;
 * - `giveAgain`: its cluster has lost it, and is given it again with the present wish;
 * - `fail`: it fails, with the cluster's words.
 */
export type RefusalOutcome = 'none' | 'gone' | 'giveAgain' | 'fail';

/** See {@link RefusalOutcome}. `vm` is that of the cluster which refused. Pure. */
export function decideRefusal(
  vm: Pick<VmRecord, 'state' | 'desired' | 'generation' | 'revision'>,
  refusal: Pick<Refusal, 'kind' | 'generation'>,
): RefusalOutcome {
  if (vm.state === 'deleted' || refusal.generation !== vm.generation) return 'none';
  if (vm.desired === 'deleted' && vm.revision === 0) return 'gone';
  return refusal.kind === 'unknown' ? 'giveAgain' : 'fail';
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

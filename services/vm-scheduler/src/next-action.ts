import { isToBeReleased } from './resize.ts';
import { isMissing, type VmRecord } from './vm-record.ts';

/** First pause before a VM is launched again after a launch that came to nothing, in ms. */
const RELAUNCH_BASE_MS = 1_000;
/** Longest pause between two launches of one VM, in ms. */
const RELAUNCH_MAX_MS = 60_000;

/** The master is asked where a missing VM runs before it is launched where it was last: two times. */
const MISSING_FIRST_ASKED_MS = 25_000;

/**
 * What has to be done next for a VM. Level-triggered: computed from the record alone, as often as
 * one likes, until it says `none`.
 */
export type NextAction =
  | { readonly type: 'none' }
  /** Launch a task; one with desired `deleted` only cleans up. */
  | { readonly type: 'launch'; readonly notBeforeMs: number }
  /** The VM never reached a host: nothing is left of it, so it is deleted. */
  | { readonly type: 'markDeleted' }
  /** Tell the executor that the VM is to be deleted, and end the task if no executor has it yet. */
  | { readonly type: 'kill' }
  /** Let its task end, with the VM kept: the next one has other amounts. */
  | { readonly type: 'release' }
  /** Tell the executor the wish that it has not applied yet. */
  | { readonly type: 'tellDesired' };

const NONE: NextAction = { type: 'none' };

/** See {@link NextAction}. */
export function nextAction(record: VmRecord): NextAction {
  const { desired, generation } = record.assignment;
  switch (record.phase) {
    case 'deleted':
      return NONE;
    case 'failed':
      return desired === 'deleted' ? whenWithoutTask(record) : NONE;
    case 'waiting':
      return whenWithoutTask(record);
    case 'launching':
    case 'lost':
      return desired === 'deleted' && record.task !== null ? { type: 'kill' } : NONE;
    case 'hosted':
    case 'stalled':
      // It removes the VM and then ends the task. A kill that overtook the word would only stop it.
      if (desired === 'deleted') return { type: 'tellDesired' };
      if (isToBeReleased(record)) return { type: 'release' };
      return (record.observation?.generation ?? 0) < generation ? { type: 'tellDesired' } : NONE;
  }
}

function whenWithoutTask(record: VmRecord): NextAction {
  const { desired, lastHost } = record.assignment;
  if (isMissing(record)) {
    // To clean up is done there too; before it is known where, nothing.
    const notBeforeMs = record.phaseSinceMs + MISSING_FIRST_ASKED_MS;
    return lastHost === null ? NONE : { type: 'launch', notBeforeMs };
  }
  if (desired === 'deleted' && record.boundAgentId === null) {
    return { type: 'markDeleted' };
  }
  return { type: 'launch', notBeforeMs: record.phaseSinceMs + relaunchDelayMs(record) };
}

/** Doubling from one second to a minute; the first launch again after a good run is at once. */
function relaunchDelayMs(record: VmRecord): number {
  if (record.failedLaunches === 0) return 0;
  return Math.min(RELAUNCH_MAX_MS, RELAUNCH_BASE_MS * 2 ** (record.failedLaunches - 1));
}

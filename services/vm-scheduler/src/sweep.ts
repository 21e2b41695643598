import { VM_STATE_TABLE } from '@factory/contracts';
import { failUnplaced } from './launcher.ts';
import { nextAction } from './next-action.ts';
import type { SchedulerState } from './state.ts';
import { applySilence, toPhase, type VmRecord, vmIdOf } from './vm-record.ts';

/** A launch that nobody has spoken of for this long is asked about. */
const LAUNCH_QUIET_MS = 10_000;
/** Deleted VMs are kept this long for readers that were cut off. */
const DELETED_KEPT_MS = 10 * 60_000;

/** What a look at all VMs found to be due. */
export interface Overdue {
  readonly changed: readonly VmRecord[];
  /** Tasks past their launch deadline: ended, so that they can be launched again. */
  readonly killed: readonly VmRecord[];
  /** The master must be asked about their tasks. */
  readonly unanswered: readonly VmRecord[];
  readonly forgotten: readonly string[];
  /** A VM may be launched (again) now. */
  readonly isLaunchDue: boolean;
}

/** Everything whose time has come, by the state table's deadlines. Pure. */
export function overdueChanges(records: Iterable<VmRecord>, nowMs: number): Overdue {
  const changed: VmRecord[] = [];
  const killed: VmRecord[] = [];
  const unanswered: VmRecord[] = [];
  const forgotten: string[] = [];
  let isLaunchDue = false;
  for (const record of records) {
    const ageMs = nowMs - record.phaseSinceMs;
    switch (record.phase) {
      case 'waiting':
      case 'failed': {
        const action = nextAction(record);
        if (action.type === 'markDeleted') changed.push(toPhase(record, 'deleted', nowMs));
        else if (isUnplaced(record, ageMs)) changed.push(failUnplaced(record, nowMs));
        else isLaunchDue ||= action.type === 'launch' && action.notBeforeMs <= nowMs;
        break;
      }
      case 'launching':
        if (ageMs > deadlineOf('launching')) {
          killed.push(record);
          changed.push(abandonLaunch(record, nowMs));
        } else if (ageMs > LAUNCH_QUIET_MS) unanswered.push(record);
        break;
      case 'lost':
        unanswered.push(record);
        break;
      case 'deleted':
        if (ageMs > DELETED_KEPT_MS) forgotten.push(vmIdOf(record));
        break;
      case 'hosted':
        break;
    }
  }
  return { changed, killed, unanswered, forgotten, isLaunchDue };
}

/** VMs whose executor is silent. */
export function silentChanges(
  state: SchedulerState,
  silentAgentIds: readonly string[],
  nowMs: number,
): readonly VmRecord[] {
  const message = 'Its host has not been heard from; it may still be running.';
  return silentAgentIds
    .flatMap((agentId) => state.vmsOfAgent(agentId))
    .filter((record) => record.phase === 'hosted')
    .map((record) => applySilence(record, 'EXECUTOR_LOST', message, nowMs));
}

/** A VM that never had a host does not wait for ever; one that has waits for that host. */
function isUnplaced(record: VmRecord, ageMs: number): boolean {
  return (
    record.phase === 'waiting' &&
    record.observation === null &&
    record.assignment.desired !== 'deleted' &&
    ageMs > deadlineOf('scheduled')
  );
}

function abandonLaunch(record: VmRecord, nowMs: number): VmRecord {
  const next = { ...record, task: null, failedLaunches: record.failedLaunches + 1 };
  const message = 'The launch on its host was not answered in time; launching again.';
  return toPhase({ ...next, reason: 'DEADLINE_EXCEEDED', message }, 'waiting', nowMs);
}

function deadlineOf(state: 'launching' | 'scheduled'): number {
  const rule = VM_STATE_TABLE[state];
  return rule.kind === 'transitional' ? rule.deadlineMs : Number.POSITIVE_INFINITY;
}

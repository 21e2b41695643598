import { stateDeadlineMs, VM_STATE_TABLE } from '@factory/contracts';
import { nextAction } from './next-action.ts';
import { goBack, isResizing, isWithoutRoom } from './resize.ts';
import type { SchedulerState } from './state.ts';
import {
  applyNotFound,
  applyRemoval,
  applySilence,
  applyStall,
  isMissing,
  toPhase,
  type VmRecord,
  vmIdOf,
} from './vm-record.ts';

/** A launch that nobody has spoken of for this long is asked about. */
const LAUNCH_QUIET_MS = 10_000;
/** Deleted VMs that were reported are kept this long, for commands that come twice. */
const DELETED_KEPT_MS = 10 * 60_000;
/** And those of which no reader has said that it was told. */
const DELETED_UNREPORTED_KEPT_MS = 30 * 24 * 3_600_000;
/** Hosts and masters have this long to tell of a VM that was on a host which nobody knows. */
const MISSING_SOUGHT_MS = 120_000;
/** Beyond a state's own deadline, which its executor keeps: it fails the VM itself if it can. */
const EXECUTOR_MARGIN_MS = 60_000;
/** A VM of which no executor has spoken after so many launches has failed. */
const LAUNCHES_MAX = 12;

/** What a look at all VMs found to be due. */
export interface Overdue {
  readonly changed: readonly VmRecord[];
  /** New tasks past their launch deadline: ended, so that they can be launched again. */
  readonly killed: readonly VmRecord[];
  /** The master must be asked about their tasks. */
  readonly unanswered: readonly VmRecord[];
  readonly forgotten: readonly string[];
  /** The cluster had VMs that nobody has found yet. */
  readonly isMissing: boolean;
  /** A VM may be launched (again) now. */
  readonly isLaunchDue: boolean;
}

/**
 * Everything whose time has come, by the state table's deadlines. `reportedRevision` is that up to
 * which the reader of changes has passed everything on. Pure.
 */
export function overdueChanges(
  records: Iterable<VmRecord>,
  nowMs: number,
  reportedRevision: number,
): Overdue {
  const changed: VmRecord[] = [];
  const killed: VmRecord[] = [];
  const unanswered: VmRecord[] = [];
  const forgotten: string[] = [];
  let isLaunchDue = false;
  let someMissing = false;
  for (const record of records) {
    const ageMs = nowMs - record.phaseSinceMs;
    switch (record.phase) {
      case 'waiting':
      case 'failed': {
        const action = nextAction(record);
        if (isMissing(record)) someMissing = true;
        if (isNowhere(record, ageMs)) changed.push(applyNotFound(record));
        else if (isResizing(record) && ageMs > deadlineOf('resizing')) {
          changed.push(toPhase(record, 'failed', nowMs));
        } else if (isWithoutRoom(record, ageMs)) changed.push(goBack(record));
        else if (action.type === 'markDeleted') changed.push(applyRemoval(record, nowMs));
        else if (isHopeless(record)) changed.push(giveUp(record, nowMs));
        else if (isUnplaced(record, ageMs)) changed.push(failUnplaced(record, nowMs));
        else isLaunchDue ||= action.type === 'launch' && action.notBeforeMs <= nowMs;
        break;
      }
      case 'launching':
        // One that an executor has spoken of may run there: to kill its task is to stop it.
        if (ageMs > deadlineOf('launching') && record.observation === null) {
          killed.push(record);
          changed.push(abandonLaunch(record, nowMs));
        } else if (ageMs > LAUNCH_QUIET_MS) unanswered.push(record);
        break;
      case 'lost':
        unanswered.push(record);
        break;
      case 'deleted':
        if (ageMs > keptMs(record, reportedRevision)) forgotten.push(vmIdOf(record));
        break;
      case 'hosted':
        if (isStalled(record, nowMs)) changed.push(applyStall(record, nowMs));
        break;
      case 'stalled':
        break;
    }
  }
  return { changed, killed, unanswered, forgotten, isMissing: someMissing, isLaunchDue };
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
    .filter(({ phase }) => phase === 'hosted' || phase === 'stalled')
    .map((record) => applySilence(record, 'EXECUTOR_LOST', message, nowMs));
}

/** All that could have it had time to say so. */
function isNowhere(record: VmRecord, ageMs: number): boolean {
  return isMissing(record) && record.assignment.lastHost === null && ageMs > MISSING_SOUGHT_MS;
}

/** By this scheduler's clock: hosts' clocks may differ. */
function isStalled({ observation, heardStateAtMs, phaseSinceMs }: VmRecord, nowMs: number) {
  if (observation === null) return false;
  const sinceMs = heardStateAtMs ?? Math.max(phaseSinceMs, observation.stateSinceMs);
  const deadlineMs = stateDeadlineMs(observation.state, sinceMs);
  return deadlineMs !== undefined && nowMs > deadlineMs + EXECUTOR_MARGIN_MS;
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

function isHopeless(record: VmRecord): boolean {
  const { phase, observation, assignment, failedLaunches } = record;
  const isNew = phase === 'waiting' && observation === null;
  return isNew && assignment.desired !== 'deleted' && failedLaunches >= LAUNCHES_MAX;
}

function giveUp(record: VmRecord, nowMs: number): VmRecord {
  const message = `Gave up after ${record.failedLaunches} launches. ${record.message ?? ''}`.trim();
  return toPhase({ ...record, message }, 'failed', nowMs);
}

function failUnplaced(record: VmRecord, nowMs: number): VmRecord {
  const message = `No host had room in time. ${record.message ?? ''}`.trim();
  return toPhase({ ...record, reason: 'NO_CAPACITY', message }, 'failed', nowMs);
}

function keptMs(record: VmRecord, reportedRevision: number): number {
  return record.revision <= reportedRevision ? DELETED_KEPT_MS : DELETED_UNREPORTED_KEPT_MS;
}

function abandonLaunch(record: VmRecord, nowMs: number): VmRecord {
  const next = { ...record, task: null, failedLaunches: record.failedLaunches + 1 };
  const message = 'The launch on its host was not answered in time; launching again.';
  return toPhase({ ...next, reason: 'DEADLINE_EXCEEDED', message }, 'waiting', nowMs);
}

function deadlineOf(state: 'launching' | 'scheduled' | 'resizing'): number {
  const rule = VM_STATE_TABLE[state];
  return rule.kind === 'transitional' ? rule.deadlineMs : Number.POSITIVE_INFINITY;
}

import { HANDOUT_REASONS, VM_REASONS, type VmReason } from '@factory/contracts';
import { applyRemoval, toPhase, type VmRecord } from './vm-record.ts';

/** The parts of a Mesos task status that decide. */
export interface TaskStatusFacts {
  readonly state: string;
  readonly source: string | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

/** What a task state means for its VM. */
type Meaning =
  | 'alive'
  /** The agent is silent, or the master does not know the task (yet). */
  | 'silent'
  /** The task ended; who ended it decides what follows. */
  | 'ended'
  /** The task never ran. */
  | 'neverRan'
  /** The task can't run as it is. */
  | 'refused'
  /** The agent will not come back. */
  | 'hostGone';

const MEANINGS: Readonly<Record<string, Meaning>> = {
  TASK_STAGING: 'alive',
  TASK_STARTING: 'alive',
  TASK_RUNNING: 'alive',
  TASK_KILLING: 'alive',
  TASK_UNREACHABLE: 'silent',
  TASK_UNKNOWN: 'silent',
  TASK_FINISHED: 'ended',
  TASK_FAILED: 'ended',
  TASK_KILLED: 'ended',
  TASK_GONE: 'ended',
  TASK_LOST: 'ended',
  TASK_DROPPED: 'neverRan',
  TASK_ERROR: 'refused',
  TASK_GONE_BY_OPERATOR: 'hostGone',
};

/** The master's answer when it was asked, not news from the agent. */
const ANSWER = 'REASON_RECONCILIATION';
/** The agent had not handed the task to the executor yet. */
const KILLED_BEFORE_START = 'REASON_TASK_KILLED_DURING_LAUNCH';

/**
 * A status of the VM's current task. An executor's own word is final; a task that ended without it
 * (executor killed, agent restarted) left the VM behind on its host, so it is launched again there
 * and found by its domain.
 */
export function applyTaskStatus(
  record: VmRecord,
  status: TaskStatusFacts,
  nowMs: number,
): VmRecord {
  if (record.phase === 'deleted') return record;
  const hasNotStarted = status.reason === KILLED_BEFORE_START;
  const meaning = hasNotStarted ? 'neverRan' : (MEANINGS[status.state] ?? 'alive');
  if (status.reason === ANSWER) return applyAnswer(record, meaning, status, nowMs);
  if (isDoubtful(status)) return doubted(record, status);
  return applyMeaning(record, meaning, status, nowMs);
}

/**
 * Whether only the master can tell if the task runs: an ACCEPT that arrives twice is refused the
 * second time, for the offers are gone, and the task of the first runs.
 */
export function isDoubtful(status: Pick<TaskStatusFacts, 'state' | 'reason'>): boolean {
  return status.state === 'TASK_DROPPED' && status.reason === 'REASON_INVALID_OFFERS';
}

/** Remembers that the launch may not have happened; the answer to the question decides. */
function doubted(record: VmRecord, status: TaskStatusFacts): VmRecord {
  if (record.phase !== 'launching') return record;
  return { ...record, reason: 'LAUNCH_REFUSED', message: textOf(status) };
}

/** Whether the task may be running. */
export function isAlive(state: string): boolean {
  return (MEANINGS[state] ?? 'alive') === 'alive';
}

function applyAnswer(
  record: VmRecord,
  meaning: Meaning,
  status: TaskStatusFacts,
  nowMs: number,
): VmRecord {
  const isDoubted = record.phase === 'launching' && record.reason === 'LAUNCH_REFUSED';
  if (meaning === 'alive') return isDoubted ? { ...record, reason: null, message: null } : record;
  // A task that ended is known until we have acknowledged its last update: that will come by itself.
  const isKnown = meaning !== 'hostGone' && meaning !== 'silent' && status.state !== 'TASK_GONE';
  if (isKnown) return record;
  if (isDoubted && meaning !== 'hostGone' && status.state !== 'TASK_UNREACHABLE') {
    return whenNeverRan(record, status, nowMs);
  }
  return applyMeaning(record, meaning, status, nowMs);
}

function applyMeaning(
  record: VmRecord,
  meaning: Meaning,
  status: TaskStatusFacts,
  nowMs: number,
): VmRecord {
  switch (meaning) {
    case 'alive':
      return record;
    case 'silent':
      return whenSilent(record, status, nowMs);
    case 'ended':
      return whenEnded(record, status, nowMs);
    case 'neverRan':
      return whenNeverRan(record, status, nowMs);
    case 'refused':
      return withoutTask(unbindIfNew(countFailure(record)), 'failed', refusal(status), nowMs);
    case 'hostGone': {
      const why = { reason: 'AGENT_LOST' as const, message: textOf(status) };
      return withoutTask({ ...record, boundAgentId: null }, 'failed', why, nowMs);
    }
  }
}

function whenSilent(record: VmRecord, status: TaskStatusFacts, nowMs: number): VmRecord {
  if (record.phase === 'lost' && record.reason === 'AGENT_LOST') return record;
  const next = { ...record, reason: 'AGENT_LOST' as const, message: textOf(status) };
  return toPhase(next, 'lost', nowMs);
}

function whenEnded(record: VmRecord, status: TaskStatusFacts, nowMs: number): VmRecord {
  const isGone = record.observation?.state === 'deleted';
  if ((status.source !== 'SOURCE_EXECUTOR' || isUnknownToIt(status)) && !isGone) {
    const why = { reason: 'EXECUTOR_LOST' as const, message: textOf(status) };
    return withoutTask(countFailure(record), 'waiting', why, nowMs);
  }
  if (!isGone && isReleased(status)) return whenReleased(record, status, nowMs);
  if (isGone || status.state === 'TASK_FINISHED' || status.state === 'TASK_KILLED') {
    return whenRemoved(record, isGone, nowMs);
  }
  const why = executorsReason(record, status);
  if (HANDOUT_REASONS.has(why.reason)) return whenSentBack(record, why, nowMs);
  // It could not be made, and what was made has been removed; but a refused task removed nothing.
  const isRefused = why.reason === 'LAUNCH_REFUSED';
  const next = isRefused ? unbindIfNew(record) : { ...record, boundAgentId: null };
  return withoutTask(next, 'failed', why, nowMs);
}

/** Its host could not give it what it offers, and nothing of it is there: another one may. */
function whenSentBack(record: VmRecord, why: Why, nowMs: number): VmRecord {
  if (record.assignment.desired === 'deleted') return applyRemoval(record, nowMs);
  // Its executor spoke of it, so that launches in a row are not counted: all of them are.
  const fresh = { ...record, boundAgentId: null, observation: null };
  return withoutTask({ ...fresh, failedLaunches: record.attempts }, 'waiting', why, nowMs);
}

/** It says that it never had the task: of its VM it knows nothing. */
function isUnknownToIt({ message }: TaskStatusFacts): boolean {
  return message?.startsWith('EXECUTOR_LOST:') === true;
}

/** The executor switched the VM off, kept all of it, and ended its task. */
function isReleased({ message }: TaskStatusFacts): boolean {
  return message?.startsWith('RELEASED:') === true;
}

/** Everything is still on its host: what is unwanted has yet to be removed there, by a new task. */
function whenReleased(record: VmRecord, status: TaskStatusFacts, nowMs: number): VmRecord {
  // As it was asked to: it is launched again with the amounts that it is to have.
  const isAsked = status.state === 'TASK_FINISHED' || record.resize !== undefined;
  if (isAsked && record.assignment.desired !== 'deleted') {
    return toPhase({ ...record, task: null, reason: null, message: null }, 'waiting', nowMs);
  }
  const why = {
    reason: 'KILLED_FROM_OUTSIDE' as const,
    message:
      'Its Mesos task was ended by someone other than the factory. It is off, and its disk is kept.',
  };
  const phase = record.assignment.desired === 'deleted' ? 'waiting' : 'failed';
  return withoutTask(record, phase, why, nowMs);
}

/** The executor removed the VM: as wished, or because somebody else killed its task. */
function whenRemoved(record: VmRecord, isGone: boolean, nowMs: number): VmRecord {
  if (record.assignment.desired === 'deleted') return applyRemoval(record, nowMs);
  // Unless it said that nothing is left, something may be: then only that host will do.
  const boundAgentId = isGone ? null : record.boundAgentId;
  const why = {
    reason: 'KILLED_FROM_OUTSIDE' as const,
    message: 'Its Mesos task was killed by someone other than the factory.',
  };
  return withoutTask({ ...record, boundAgentId }, 'failed', why, nowMs);
}

function whenNeverRan(record: VmRecord, status: TaskStatusFacts, nowMs: number): VmRecord {
  return withoutTask(countFailure(unbindIfNew(record)), 'waiting', refusal(status), nowMs);
}

/** A VM of which no executor ever spoke has nothing on the host: it may go anywhere. */
function unbindIfNew(record: VmRecord): VmRecord {
  return record.observation === null && record.attempts <= 1
    ? { ...record, boundAgentId: null }
    : record;
}

/** The first launch after a good run is free; only launches that come to nothing slow down. */
function countFailure(record: VmRecord): VmRecord {
  const wasHosted = record.phase === 'hosted' || record.phase === 'stalled';
  return { ...record, failedLaunches: wasHosted ? 0 : record.failedLaunches + 1 };
}

interface Why {
  readonly reason: VmReason;
  readonly message: string;
}

function withoutTask(
  record: VmRecord,
  phase: 'waiting' | 'failed',
  why: Why,
  nowMs: number,
): VmRecord {
  return toPhase({ ...record, task: null, ...why }, phase, nowMs);
}

function refusal(status: TaskStatusFacts): Why {
  return { reason: 'LAUNCH_REFUSED', message: textOf(status) };
}

/**
 * Why the executor gave up. Its status comes before its last observation, and says it in the form
 * `REASON: words`.
 */
function executorsReason(record: VmRecord, status: TaskStatusFacts): Why {
  const [, word, words = ''] = /^([A-Z_]+): ?(.*)$/s.exec(status.message ?? '') ?? [];
  const reason = VM_REASONS.find((known) => known === word);
  if (reason !== undefined) return { reason, message: words.slice(0, MESSAGE_MAX) };
  const message = record.observation?.message ?? textOf(status);
  return { reason: record.observation?.reason ?? 'HYPERVISOR_ERROR', message };
}

const MESSAGE_MAX = 4096;

function textOf(status: TaskStatusFacts): string {
  const words = [status.state, status.reason, status.message];
  return words
    .filter((word) => word !== undefined && word !== '')
    .join(': ')
    .slice(0, MESSAGE_MAX);
}

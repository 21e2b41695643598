import {
  type DesiredChange,
  isStateReachable,
  standing,
  type Timeline,
  type VmAssignment,
  type VmId,
  type VmObservation,
  type VmReason,
  type VmReport,
  type VmState,
  vmTaskId,
} from '@factory/contracts';

import {
  assignmentOfTask,
  isResizing,
  type Notice,
  type Resize,
  type Size,
  withApplied,
  withSpecOf,
} from './resize.ts';

/**
 * Where a VM stands from the scheduler's point of view:
 * - `waiting`: no task; needs an offer (of its bound agent, if it has one);
 * - `launching`: a task was launched, its executor has not spoken of it since;
 * - `hosted`: the executor speaks of it; its observation is the truth;
 * - `stalled`: its executor speaks of it and does not move it on, past its state's deadline;
 * - `lost`: it has a task, but its agent or executor is silent;
 * - `failed`: it has no task, and none is launched until a newer wish comes;
 * - `deleted`: nothing of it is left.
 */
export type VmPhase =
  | 'waiting'
  | 'launching'
  | 'hosted'
  | 'stalled'
  | 'lost'
  | 'failed'
  | 'deleted';

/** One launch of a VM; the task id is made of the VM's id and the attempt. */
export interface VmTask {
  readonly attempt: number;
  readonly agentId: string;
  readonly launchedAtMs: number;
  /** What it was launched for, while that is not what its VM is to be. */
  readonly size?: Size;
}

/** All that the scheduler knows of one VM. Immutable: every change makes a new one. */
export interface VmRecord {
  readonly assignment: VmAssignment;
  /** The wish that changed the spec last; absent: none since it was given to this cluster. */
  readonly specGeneration?: number;
  /** Grows with every change, so that readers can ask for what is newer. */
  readonly revision: number;
  readonly phase: VmPhase;
  readonly phaseSinceMs: number;
  /** Launches so far; the next task's attempt is one more. */
  readonly attempts: number;
  readonly task: VmTask | null;
  /** The agent that holds (or may hold) its disk: it is launched nowhere else. */
  readonly boundAgentId: string | null;
  readonly resize?: Resize;
  /** Of the wish at hand, when it could not be carried out as it was made. */
  readonly notice?: Notice;
  readonly hostName: string | null;
  /** Where the tunnels of its bound agent's host end, as its executor said last; null: it has none. */
  readonly tunnelAddress?: string | null;
  readonly observation: VmObservation | null;
  /** When this scheduler first heard of the observed state, by its own clock; old records lack it. */
  readonly heardStateAtMs?: number;
  /** Launches in a row that ended before the executor spoke of the VM; slows further ones down. */
  readonly failedLaunches: number;
  readonly reason: VmReason | null;
  readonly message: string | null;
  readonly timeline: Timeline;
}

export function vmIdOf(record: VmRecord): VmId {
  return record.assignment.vmId;
}

/** The record of a VM that was just given to this cluster. `revision` is set when it is stored. */
export function newVmRecord(assignment: VmAssignment, nowMs: number): VmRecord {
  return {
    assignment,
    revision: 0,
    phase: 'waiting',
    phaseSinceMs: nowMs,
    attempts: 0,
    task: null,
    boundAgentId: null,
    hostName: null,
    observation: null,
    failedLaunches: 0,
    reason: null,
    message: null,
    timeline: assignment.timeline,
  };
}

/**
 * Takes a repeated or newer assignment; older epochs and generations change nothing. A VM that was
 * deleted here and comes back starts over, but for its attempts: no task id is used twice.
 */
export function applyAssignment(
  record: VmRecord,
  assignment: VmAssignment,
  nowMs: number,
): VmRecord {
  const current = record.assignment;
  const isNewEpoch = assignment.assignmentEpoch > current.assignmentEpoch;
  // A life that is over may have ended with a wish that the next one has not heard of.
  const isNewLife = isNewEpoch && record.phase === 'deleted';
  const isOlder =
    assignment.assignmentEpoch < current.assignmentEpoch ||
    (!isNewLife && assignment.generation < current.generation);
  if (isOlder || (!isNewEpoch && assignment.generation === current.generation)) return record;
  if (record.phase !== 'deleted') {
    const specGeneration = assignment.generation;
    return withWish({ ...withSpecOf(record, assignment), specGeneration }, nowMs);
  }
  return isNewEpoch
    ? { ...newVmRecord(assignment, nowMs), attempts: record.attempts }
    : { ...record, assignment };
}

/** Takes a newer wish. */
export function applyDesired(record: VmRecord, change: DesiredChange, nowMs: number): VmRecord {
  if (change.generation <= record.assignment.generation) return record;
  // Meant for an earlier life: it was given to this cluster again since.
  const { assignmentEpoch = Number.POSITIVE_INFINITY } = change;
  if (assignmentEpoch < record.assignment.assignmentEpoch) return record;
  const { generation, desired, spec } = change;
  const assignment = { ...record.assignment, generation, desired };
  if (spec === undefined) return withWish({ ...record, assignment }, nowMs);
  const next = withSpecOf(record, { ...assignment, spec });
  return withWish({ ...next, specGeneration: generation }, nowMs);
}

/** What the executor is told of the wish; the spec with it until it has carried that out. */
export function toDesiredChange(record: VmRecord): DesiredChange {
  const { specGeneration = 0, observation } = record;
  // Of another size it hears with the task that has it.
  const { vmId, generation, desired, spec } = assignmentOfTask(record);
  const isSpecNew = specGeneration > (observation?.generation ?? 0);
  return { vmId, generation, desired, ...(isSpecNew ? { spec } : {}) };
}

/** A failed VM whose wish is new is tried again; to be deleted, it stays failed until it is gone. */
function withWish(record: VmRecord, nowMs: number): VmRecord {
  if (record.phase !== 'failed') return record;
  const fresh = { ...record, failedLaunches: 0 };
  if (record.assignment.desired === 'deleted') return fresh;
  // Where nothing of it is left, what was last seen there says nothing of the next try.
  const observation = record.boundAgentId === null ? null : record.observation;
  return toPhase({ ...fresh, observation, reason: null, message: null }, 'waiting', nowMs);
}

/** A launch was decided: the intent that is stored before the ACCEPT goes out. */
export function applyLaunch(
  record: VmRecord,
  launch: { readonly agentId: string; readonly hostName: string },
  nowMs: number,
): VmRecord {
  // Of one that was lost, earlier attempts are not known: this one is later than all of them.
  const attempt = isMissing(record)
    ? Math.max(record.attempts + 1, Math.ceil(nowMs / 1_000))
    : record.attempts + 1;
  const { tunnelAddress, ...found } = applyNotFound(record);
  const isSameHost = tunnelAddress !== undefined && record.boundAgentId === launch.agentId;
  const next = {
    ...found,
    ...(isSameHost ? { tunnelAddress } : {}),
    attempts: attempt,
    task: { attempt, agentId: launch.agentId, launchedAtMs: nowMs },
    boundAgentId: launch.agentId,
    hostName: launch.hostName,
    reason: null,
    message: null,
    timeline: { offered: nowMs, ...record.timeline, launched: nowMs },
  };
  return toPhase(next, 'launching', nowMs);
}

/**
 * Whether the cluster had this VM once and lost it, and nobody has found it yet: it may run
 * somewhere, so it is launched nowhere but on the host that it was on.
 */
export function isMissing({ assignment, boundAgentId }: VmRecord): boolean {
  return assignment.lastHost !== undefined && boundAgentId === null;
}

/** A task of a VM that was missing: there it is. Its executor's word says how it is. */
export function applyFoundTask(
  record: VmRecord,
  task: { readonly attempt: number; readonly agentId: string },
  nowMs: number,
): VmRecord {
  if (!isMissing(record)) return record;
  const next = {
    ...applyNotFound(record),
    attempts: Math.max(record.attempts, task.attempt),
    task: { ...task, launchedAtMs: nowMs },
    boundAgentId: task.agentId,
    hostName: record.assignment.lastHost ?? null,
    reason: 'ADOPTED' as const,
    message: 'It was found on a host; waiting for the word of its executor.',
  };
  // Not `launching`: that has a deadline, after which the task is killed.
  return toPhase(next, 'lost', nowMs);
}

/** An agent's executor has it, without a task: it is launched there, and found. */
export function applyFoundOnHost(record: VmRecord, agentId: string): VmRecord {
  return isMissing(record) ? { ...applyNotFound(record), boundAgentId: agentId } : record;
}

/** It is sought no more: it was found, or nobody has said in time to have it. */
export function applyNotFound(record: VmRecord): VmRecord {
  if (record.assignment.lastHost === undefined) return record;
  const { lastHost: _, ...assignment } = record.assignment;
  return { ...record, assignment };
}

/** The executor spoke of the VM. Late and repeated words change nothing but end a silence. */
export function applyObservation(
  record: VmRecord,
  observation: VmObservation,
  nowMs: number,
): VmRecord {
  // Without a task the word is of a run that has ended: the next launch will be spoken of anew.
  if (record.task === null) return record;
  const known = record.observation;
  if (known !== null && observation.seq < known.seq) return record;
  const timeline = { ...record.timeline, ...observation.timeline };
  if (observation.state === 'deleted' && record.assignment.desired === 'deleted') {
    return applyRemoval({ ...record, observation, timeline }, nowMs);
  }
  const moved =
    known?.state !== observation.state || known.stateSinceMs !== observation.stateSinceMs;
  if (record.phase === 'stalled' && !moved) {
    return known.seq === observation.seq ? record : { ...record, observation, timeline };
  }
  const heard = record.phase === 'hosted' ? record : toPhase(record, 'hosted', nowMs);
  if (known?.seq === observation.seq && heard === record) return record;
  const settled = withApplied(heard, observation.generation, observation.applied);
  return {
    ...settled,
    observation,
    heardStateAtMs: moved ? nowMs : (record.heardStateAtMs ?? nowMs),
    failedLaunches: 0,
    reason: observation.reason,
    message: observation.message,
    timeline,
  };
}

/** Its executor told where the host's tunnels end, to whoever shares a subnet with it. */
export function applyTunnel(record: VmRecord, address: string | null): VmRecord {
  return record.tunnelAddress === address ? record : { ...record, tunnelAddress: address };
}

/** Nothing of it is left, as wished. */
export function applyRemoval(record: VmRecord, nowMs: number): VmRecord {
  const gone = { ...record, task: null, boundAgentId: null, reason: null, message: null };
  return toPhase(gone, 'deleted', nowMs);
}

/**
 * Gives the VM up, so that another cluster can have it, if this one has never given it a host: what
 * was launched once may have a disk somewhere. Otherwise, and by another epoch, nothing changes.
 */
export function applyWithdrawal(record: VmRecord, epoch: number, nowMs: number): VmRecord {
  const { assignment, phase, attempts, task, boundAgentId, observation } = record;
  const isUntouched =
    phase === 'waiting' && attempts === 0 && task === null && boundAgentId === null;
  const isFree = isUntouched && observation === null && !isMissing(record);
  if (!isFree || assignment.assignmentEpoch !== epoch) return record;
  const message = 'No host had room for it; it was given back.';
  return { ...applyRemoval(record, nowMs), reason: 'WITHDRAWN', message };
}

/** Its host will not come back: what was there is lost, and it may be made elsewhere. */
export function applyHostGone(record: VmRecord, nowMs: number): VmRecord {
  if (record.phase === 'deleted') return record;
  if (record.assignment.desired === 'deleted') return applyRemoval(record, nowMs);
  const message = 'Its host was declared gone; it is made anew when it is started.';
  const lost = { ...applyNotFound(record), task: null, boundAgentId: null };
  return toPhase({ ...lost, reason: 'AGENT_LOST', message }, 'failed', nowMs);
}

/** Its agent or executor fell silent. It may still run, so nothing is started elsewhere. */
export function applySilence(
  record: VmRecord,
  reason: VmReason,
  message: string,
  nowMs: number,
): VmRecord {
  const { phase } = record;
  if (phase !== 'hosted' && phase !== 'stalled' && phase !== 'launching') return record;
  return toPhase({ ...record, reason, message }, 'lost', nowMs);
}

/** Its executor beats its heart and does not move it on: said, and nothing else is touched. */
export function applyStall(record: VmRecord, nowMs: number): VmRecord {
  const { observation } = record;
  const words = `It has been '${observation?.state}' for longer than its host may take.`;
  const message = `${words} ${observation?.message ?? ''}`.trim();
  const reason = observation?.reason ?? 'DEADLINE_EXCEEDED';
  return toPhase({ ...record, reason, message }, 'stalled', nowMs);
}

/** Says why a waiting VM waits. */
export function applyWaitingReason(record: VmRecord, message: string): VmRecord {
  if (record.phase !== 'waiting' || record.message === message) return record;
  return { ...record, reason: 'NO_CAPACITY', message };
}

export function toPhase(record: VmRecord, phase: VmPhase, nowMs: number): VmRecord {
  return record.phase === phase ? record : { ...record, phase, phaseSinceMs: nowMs };
}

/** The state that the world sees: derived from the phase and the observation, never stored apart. */
export function shownState(record: VmRecord): VmState {
  if (isResizing(record)) return 'resizing';
  switch (record.phase) {
    case 'waiting':
      return record.observation === null ? 'scheduled' : 'unreachable';
    case 'launching':
      return record.observation === null ? 'launching' : 'unreachable';
    case 'lost':
      return 'unreachable';
    case 'hosted':
      return hostedState(record);
    case 'failed':
    case 'stalled':
      return 'failed';
    case 'deleted':
      return 'deleted';
  }
}

/** A VM that is gone although nobody here wished it has failed: `deleted` is a promise kept. */
function hostedState({ observation, assignment }: VmRecord): VmState {
  if (observation?.state === 'deleted' && assignment.desired !== 'deleted') return 'failed';
  return observation?.state ?? 'launching';
}

function shownSinceMs(record: VmRecord): number {
  return record.phase === 'hosted'
    ? (record.observation?.stateSinceMs ?? record.phaseSinceMs)
    : record.phaseSinceMs;
}

/** What is reported upward. */
export function toReport(record: VmRecord): VmReport {
  const { observation, assignment } = record;
  const isHosted = record.phase === 'hosted';
  const notice = isHosted ? noticeFor(record) : undefined;
  return {
    vmId: assignment.vmId,
    assignmentEpoch: assignment.assignmentEpoch,
    revision: record.revision,
    generation: observation?.generation ?? 0,
    ...standing(
      shownState(record),
      notice?.reason ?? record.reason,
      notice?.message ?? record.message,
    ),
    stateSinceMs: shownSinceMs(record),
    guestReady: isHosted && (observation?.guestReady ?? false),
    hostName: record.hostName,
    timeline: record.timeline,
    ...(observation?.applied === undefined ? {} : { applied: observation.applied }),
    ...externalAddressOf(record),
    ...(isHosted && observation?.guest !== undefined ? { guest: observation.guest } : {}),
  };
}

/** It keeps its own while its host is silent, or its task is launched anew. */
function externalAddressOf({ observation, boundAgentId }: VmRecord) {
  const externalAddress = observation?.externalAddress;
  return externalAddress === undefined || boundAgentId === null ? {} : { externalAddress };
}

/** What is told of the wish at hand beside its outcome; a failure goes before. */
function noticeFor({ notice, assignment, observation }: VmRecord): Notice | undefined {
  const isAtHand = notice?.generation === assignment.generation;
  return isAtHand && observation?.state !== 'failed' ? notice : undefined;
}

/** The id of the task that is alive for the VM, if one is. */
export function currentTaskId(record: VmRecord): string | undefined {
  return record.task === null ? undefined : vmTaskId(vmIdOf(record), record.task.attempt);
}

/** Whether the state table has a way from one to the other; if not, that is a fault of ours. */
export function isLegalChange(before: VmRecord, after: VmRecord): boolean {
  const isNewLife = before.assignment.assignmentEpoch !== after.assignment.assignmentEpoch;
  return isNewLife || isStateReachable(shownState(before), shownState(after));
}

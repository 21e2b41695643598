import type { VmReason } from '@factory/contracts';
import { currentTaskId, type VmRecord, vmIdOf } from './vm-record.ts';

/** So many failed launches in a row, and the agent gets no new VMs for a time. */
const FAILURES_MAX = 3;
/** The first quarantine, in ms; each further one is twice as long, up to the longest. */
const QUARANTINE_BASE_MS = 30_000;
const QUARANTINE_MAX_MS = 30 * 60_000;
/** After a good time this long, in ms, a quarantine is a first one again. */
const FORGIVEN_AFTER_MS = 60 * 60_000;
/** A VM that failed so often in a row says more of itself than of its agents. */
const VM_FAILURES_MAX = 3;

/** Reasons of executors that speak of their host; others are the VM's own or its image's. */
const HOST_FAULTS: readonly VmReason[] = [
  'HYPERVISOR_ERROR',
  'HYPERVISOR_UNAVAILABLE',
  'NETWORK_ERROR',
  'STORAGE_UNAVAILABLE',
  'DISK_FULL',
  'DEADLINE_EXCEEDED',
];

/** What is remembered of an agent's launches. Immutable; times on the monotonic clock. */
export interface AgentHealth {
  /** Failed launches since the last good one. */
  readonly failures: number;
  /** How many quarantines followed each other. */
  readonly level: number;
  /** End of the quarantine; on probation from then until a launch was good. */
  readonly quarantinedUntilMs: number | null;
  /** End of the last quarantine, over or not. */
  readonly lastQuarantineMs: number | null;
  /** What the last failure was, for people. */
  readonly lastFailure: string | null;
}

export const HEALTHY: AgentHealth = {
  failures: 0,
  level: 0,
  quarantinedUntilMs: null,
  lastQuarantineMs: null,
  lastFailure: null,
};

export type Standing = 'good' | 'quarantined' | 'probation';

/** How an agent stands: `probation` means one new VM at a time. */
export function standingOf({ quarantinedUntilMs }: AgentHealth, nowMs: number): Standing {
  if (quarantinedUntilMs === null) return 'good';
  return nowMs < quarantinedUntilMs ? 'quarantined' : 'probation';
}

/**
 * A launch failed. On probation, or after several in a row, a quarantine begins, unless too many
 * agents are in one (`mayQuarantine`): then the fault is not the agents'.
 */
export function afterFailure(
  health: AgentHealth,
  message: string,
  nowMs: number,
  mayQuarantine: boolean,
): AgentHealth {
  const next = { ...health, failures: health.failures + 1, lastFailure: message };
  const standing = standingOf(health, nowMs);
  if (standing === 'quarantined') return next;
  const isDue = standing === 'probation' || next.failures >= FAILURES_MAX;
  if (!isDue || !mayQuarantine) return next;
  const isForgiven =
    health.lastQuarantineMs === null || nowMs - health.lastQuarantineMs > FORGIVEN_AFTER_MS;
  const level = isForgiven ? 0 : health.level + 1;
  const untilMs = nowMs + Math.min(QUARANTINE_MAX_MS, QUARANTINE_BASE_MS * 2 ** level);
  return { ...next, level, quarantinedUntilMs: untilMs, lastQuarantineMs: untilMs };
}

/** A launch was good: an agent on probation is let back. A quarantine that is on goes on. */
export function afterSuccess(health: AgentHealth, nowMs: number): AgentHealth {
  const isQuarantined = standingOf(health, nowMs) === 'quarantined';
  if (health.failures === 0 && health.quarantinedUntilMs === null) return health;
  const quarantinedUntilMs = isQuarantined ? health.quarantinedUntilMs : null;
  return { ...health, failures: 0, quarantinedUntilMs };
}

/** What a change of a VM says of the agent it was launched on. */
export type LaunchOutcome =
  | { readonly kind: 'good'; readonly agentId: string; readonly taskId: string }
  | {
      readonly kind: 'failed';
      readonly agentId: string;
      readonly taskId: string;
      readonly message: string;
    };

/** Reads it from the two records; `undefined` when it says nothing. Pure. */
export function launchOutcome(before: VmRecord, after: VmRecord): LaunchOutcome | undefined {
  const taskId = currentTaskId(before);
  if (before.task === null || taskId === undefined) return undefined;
  const { agentId } = before.task;
  if (after.task?.attempt === before.task.attempt) {
    return isSettled(after) && !isSettled(before) ? { kind: 'good', agentId, taskId } : undefined;
  }
  if (after.task !== null || !isFaultOfHost(before, after)) return undefined;
  const message = `${vmIdOf(after)}: ${after.reason ?? ''} ${after.message ?? ''}`.trim();
  return { kind: 'failed', agentId, taskId, message };
}

/** The VM has been made. */
function isSettled({ phase, observation }: VmRecord): boolean {
  const state = observation?.state;
  return phase === 'hosted' && (state === 'running' || state === 'stopped');
}

function isFaultOfHost(before: VmRecord, after: VmRecord): boolean {
  if (before.assignment.desired === 'deleted' || isSettled(before)) return false;
  if (before.failedLaunches >= VM_FAILURES_MAX) return false;
  if (after.phase === 'failed') {
    return after.reason !== null && HOST_FAULTS.includes(after.reason);
  }
  // A launch in doubt never came to the agent: its offers were gone.
  const wasInDoubt = before.reason === 'LAUNCH_REFUSED';
  return after.phase === 'waiting' && after.failedLaunches > before.failedLaunches && !wasInDoubt;
}

/** The health of all agents that ever failed a launch. */
export class AgentHealthBook {
  readonly #healths = new Map<string, AgentHealth>();
  /** Tasks whose launch may never have gone out: no fault of their agents. */
  readonly #excused = new Set<string>();

  of(agentId: string): AgentHealth {
    return this.#healths.get(agentId) ?? HEALTHY;
  }

  standing(agentId: string, nowMs: number): Standing {
    return standingOf(this.of(agentId), nowMs);
  }

  /** Nobody knows whether these launches went out. */
  excuse(records: readonly VmRecord[]): void {
    for (const record of records) this.#excused.add(currentTaskId(record) ?? '');
  }

  /** A VM's record has changed. `agentCount`: how many agents there are, by all that is known. */
  note(before: VmRecord, after: VmRecord, nowMs: number, agentCount: () => number): void {
    const outcome = launchOutcome(before, after);
    const isExcused = this.#isExcused(before, after);
    if (outcome === undefined || isExcused) return;
    const health = this.of(outcome.agentId);
    const next =
      outcome.kind === 'good'
        ? afterSuccess(health, nowMs)
        : afterFailure(health, outcome.message, nowMs, this.#mayQuarantine(agentCount(), nowMs));
    if (next !== health) this.#healths.set(outcome.agentId, next);
  }

  /** At most half of the agents, but always one. */
  #mayQuarantine(agentCount: number, nowMs: number): boolean {
    const quarantined = [...this.#healths.values()].filter(
      (health) => standingOf(health, nowMs) === 'quarantined',
    );
    return quarantined.length < Math.max(1, Math.floor(agentCount / 2));
  }

  /** An excuse ends with its task. */
  #isExcused(before: VmRecord, after: VmRecord): boolean {
    const taskId = currentTaskId(before);
    if (taskId === undefined || !this.#excused.has(taskId)) return false;
    if (currentTaskId(after) !== taskId) this.#excused.delete(taskId);
    return true;
  }
}

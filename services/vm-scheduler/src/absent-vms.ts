import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';
import { applySilence, type VmRecord, vmIdOf } from './vm-record.ts';

/** An executor that does not have a VM for this long is not going to have it: its task is ended. */
const ABSENT_MAX_MS = 30_000;
/** Two words at once, as when it has just begun, are one look. */
const SECOND_LOOK_MS = 3_000;

/** What an executor's full word has shown to be absent. */
interface Absences {
  /** To be shown as unreachable. */
  readonly changed: readonly VmRecord[];
  /** Whose tasks are to be ended: they speak for nothing, and are launched again on the same host. */
  readonly ended: readonly VmRecord[];
}

/**
 * Watches for VMs that have a task and of which their executor says nothing when it tells of all
 * that it has. A word may be late, so only what is absent twice counts; what stays absent is
 * launched again on its host, which finds whatever there is of it.
 */
export class AbsentVms {
  readonly #state: SchedulerState;
  readonly #clock: Clock;
  /** By agent, since when each of its VMs is absent, on the monotonic clock. */
  readonly #since = new Map<string, Map<string, number>>();

  constructor(state: SchedulerState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Takes all that an agent's executor has. */
  told(agentId: string, present: ReadonlySet<string>): Absences {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#since.get(agentId);
    const since = new Map<string, number>();
    const changed: VmRecord[] = [];
    const ended: VmRecord[] = [];
    for (const record of this.#state.vmsOfAgent(agentId)) {
      const vmId = vmIdOf(record);
      // A launch may be on its way, and has a deadline of its own.
      if (present.has(vmId) || record.phase === 'launching') continue;
      const sinceMs = before?.get(vmId);
      since.set(vmId, sinceMs ?? nowMs);
      if (sinceMs === undefined || nowMs - sinceMs < SECOND_LOOK_MS) continue;
      changed.push(applySilence(record, 'EXECUTOR_LOST', ABSENT_MESSAGE, this.#clock.nowMs()));
      if (nowMs - sinceMs >= ABSENT_MAX_MS) ended.push(record);
    }
    if (since.size === 0) this.#since.delete(agentId);
    else this.#since.set(agentId, since);
    return { changed, ended };
  }

  /** Whether something of this agent is absent, and is to be asked about again. */
  hasSome(agentId: string): boolean {
    return this.#since.has(agentId);
  }
}

const ABSENT_MESSAGE =
  'Its host is up, and the executor there does not have it; it is launched there again.';

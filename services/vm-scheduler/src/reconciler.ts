import type { Clock } from '@factory/runtime';
import type { AgentID, TaskID } from 'mesos-core/protocol';
import type { SchedulerState } from './state.ts';
import { currentTaskId, type VmRecord } from './vm-record.ts';

/** How often the master is asked again about a task that it did not answer for. */
const ASK_AGAIN_MS = 10_000;
/** How often the master is asked about everything, in case an update was lost. */
const ASK_ALL_INTERVAL_MS = 10 * 60_000;
/** The call of a launch this young may still be on its way: the answer would mislead. */
const LAUNCH_SETTLES_MS = 10_000;

/** After this long without an answer nothing waits for it: a master that has just begun has none. */
const FIRST_ANSWERS_MS = 5_000;

/** What a RECONCILE call names. */
export interface AskedTask {
  readonly task_id: TaskID;
  readonly agent_id: AgentID;
}

interface ReconcilerOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  /** Without tasks the master answers for all that it knows. */
  readonly send: (tasks: readonly AskedTask[]) => void;
}

/** Asks the master about tasks; it answers with a status for each. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** When each task was asked about that has not been answered for, on the monotonic clock. */
  readonly #askedAtMs = new Map<string, number>();
  #askedAllAtMs = 0;
  /** Tasks asked about at the subscription that were not answered for, with their agents. */
  readonly #unsure = new Map<string, string>();
  /** How many of them each agent has. */
  readonly #unsureOf = new Map<string, number>();
  #askedMissingAtMs: number | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Asks about the tasks of these VMs, now. */
  ask(records: readonly VmRecord[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    const tasks = records.flatMap((record) => {
      const taskId = currentTaskId(record);
      if (taskId === undefined || record.task === null) return [];
      this.#askedAtMs.set(taskId, nowMs);
      return [{ task_id: { value: taskId }, agent_id: { value: record.task.agentId } }];
    });
    if (tasks.length > 0) this.#options.send(tasks);
  }

  /** Asks about those of these VMs that were not asked about lately. */
  askAgain(records: readonly VmRecord[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.ask(
      records.filter((record) => {
        const askedAtMs = this.#askedAtMs.get(currentTaskId(record) ?? '');
        return askedAtMs === undefined || nowMs - askedAtMs > ASK_AGAIN_MS;
      }),
    );
  }

  /**
   * The master has answered for this task, or the agent by itself. Gives whether it was the last one
   * of an agent that is unsure.
   */
  answered(taskId: string): boolean {
    this.#askedAtMs.delete(taskId);
    const agentId = this.#unsure.get(taskId);
    if (agentId === undefined) return false;
    this.#unsure.delete(taskId);
    const left = (this.#unsureOf.get(agentId) ?? 1) - 1;
    if (left > 0) this.#unsureOf.set(agentId, left);
    else this.#unsureOf.delete(agentId);
    return left <= 0;
  }

  /**
   * Whether tasks of this agent may have ended while we were away, and we have not heard yet: what it
   * offers may be the room of machines that have to go back there.
   */
  isUnsureOf(agentId: string): boolean {
    const askedForMs = this.#options.clock.monotonicMs() - this.#askedAllAtMs;
    return this.#unsureOf.has(agentId) && askedForMs < FIRST_ANSWERS_MS;
  }

  /** A new subscription: what was asked before may never be answered. */
  askAllAnew(): void {
    this.#askedAtMs.clear();
    this.#askedAllAtMs = this.#options.clock.monotonicMs();
    const records = [...this.#options.state.vms()];
    this.#unsure.clear();
    this.#unsureOf.clear();
    for (const record of records) this.#doubt(record);
    this.ask(records);
  }

  #doubt(record: VmRecord): void {
    const taskId = currentTaskId(record);
    if (taskId === undefined || record.task === null) return;
    const { agentId } = record.task;
    this.#unsure.set(taskId, agentId);
    this.#unsureOf.set(agentId, (this.#unsureOf.get(agentId) ?? 0) + 1);
  }

  /** Asks about everything that the master knows, at most every so often: something is missing. */
  askForMissing(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#askedMissingAtMs !== undefined && nowMs - this.#askedMissingAtMs <= ASK_AGAIN_MS)
      return;
    this.#askedMissingAtMs = nowMs;
    this.#options.send([]);
  }

  /**
   * From time to time asks about everything: ours by name, for tasks that the master does not have,
   * and without names, for tasks that we don't have.
   */
  askAllIfDue(): void {
    const { state, clock, send } = this.#options;
    if (clock.monotonicMs() - this.#askedAllAtMs <= ASK_ALL_INTERVAL_MS) return;
    this.#askedAllAtMs = clock.monotonicMs();
    this.#askedAtMs.clear();
    const nowMs = clock.nowMs();
    const isSettled = (record: VmRecord): boolean =>
      record.phase !== 'launching' || nowMs - record.phaseSinceMs > LAUNCH_SETTLES_MS;
    this.ask([...state.vms()].filter(isSettled));
    send([]);
  }
}

import { parseVmTaskId } from '@factory/contracts';
import type { Clock, Logger } from '@factory/runtime';
import type { TaskStatus } from 'mesos-core/protocol';
import type { MesosCalls } from './mesos-calls.ts';
import type { MissingVms } from './missing-vms.ts';
import type { Reconciler } from './reconciler.ts';
import type { SchedulerState } from './state.ts';
import { applyTaskStatus, isAlive, isDoubtful } from './task-status.ts';
import { currentTaskId, type VmRecord, vmIdOf } from './vm-record.ts';

interface StatusDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly calls: MesosCalls;
  readonly reconciler: Reconciler;
  /** An agent of which we were unsure is known again. */
  readonly onAgentKnown: () => void;
  readonly missing: MissingVms;
  /** Does what has to be done next for VMs that have changed. */
  readonly drive: (records: readonly VmRecord[]) => void;
}

/** Takes what Mesos says of tasks. */
export class StatusDesk {
  readonly #options: StatusDeskOptions;

  constructor(options: StatusDeskOptions) {
    this.#options = options;
  }

  /** Takes a task's status; it is acknowledged only when what follows from it is durable. */
  async take(status: TaskStatus): Promise<void> {
    const { state, calls, reconciler } = this.#options;
    const taskId = status.task_id.value;
    const isAgentKnown = reconciler.answered(taskId);
    const record = state.vm(parseVmTaskId(taskId)?.vmId ?? '');
    if (record === undefined || currentTaskId(record) !== taskId) this.#onForeign(record, status);
    else await this.#onOwn(record, status);
    // A status may come twice: the first one's outcome may still be on its way to the disk.
    await state.commit();
    calls.acknowledge(status);
    if (isAgentKnown) this.#options.onAgentKnown();
  }

  async #onOwn(record: VmRecord, status: TaskStatus): Promise<void> {
    const { state: records, clock, reconciler, drive } = this.#options;
    const { state, source, reason, message } = status;
    const facts = { state, source, reason, message };
    const next = applyTaskStatus(record, facts, clock.nowMs());
    records.putVm(next);
    if (isDoubtful(facts)) reconciler.ask([next]);
    await records.commit();
    drive([records.vm(vmIdOf(next)) ?? next]);
  }

  /** A task of an earlier launch, or one that nobody here knows. */
  #onForeign(record: VmRecord | undefined, status: TaskStatus): void {
    const { calls, logger, missing } = this.#options;
    if (!isAlive(status.state) && status.state !== 'TASK_UNREACHABLE') return;
    const taskId = status.task_id.value;
    const agentId = status.agent_id?.value;
    if (agentId !== undefined && missing.taskIsAlive(taskId, agentId)) return;
    if (!isAlive(status.state)) return;
    // What may be a machine that somebody wants is left alone.
    if (record?.assignment.desired === 'deleted') calls.kill(taskId, agentId);
    else logger.warn({ taskId }, 'a task that is not the latest of any machine');
  }
}

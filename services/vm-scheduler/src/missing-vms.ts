import { parseVmTaskId, type SchedulerMessage } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';
import { applyFoundOnHost, applyFoundTask, type VmRecord, vmIdOf } from './vm-record.ts';

/** Tasks of VMs that are not known (yet); beyond, further ones are found when asked about again. */
const FOUND_MAX = 100_000;

interface MissingVmsOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
}

/**
 * Finds VMs that the cluster had and whose records were lost with its database: by tasks that the
 * master knows, and by what executors say they have. One that is found is not made a second time.
 */
export class MissingVms {
  readonly #options: MissingVmsOptions;
  /** Tasks that live, of VMs that the api-server has not given us again yet. */
  readonly #tasks = new Map<string, { readonly attempt: number; readonly agentId: string }>();

  constructor(options: MissingVmsOptions) {
    this.#options = options;
  }

  /** A task lives that is of no VM's current launch; gives whether it is that of a missing VM. */
  taskIsAlive(taskId: string, agentId: string): boolean {
    const { state, clock, tell } = this.#options;
    const { vmId, attempt = 0 } = parseVmTaskId(taskId) ?? {};
    if (vmId === undefined) return false;
    const record = state.vm(vmId);
    if (record === undefined) {
      if (this.#tasks.size < FOUND_MAX) this.#tasks.set(vmId, { attempt, agentId });
      return true;
    }
    const next = applyFoundTask(record, { attempt, agentId }, clock.nowMs());
    if (next === record) return false;
    state.putVm(next);
    tell(agentId, { type: 'report' });
    return true;
  }

  /** An executor has this VM, and no task speaks for it. */
  isOnHost(vmId: string, agentId: string): void {
    const record = this.#options.state.vm(vmId);
    if (record !== undefined) this.#options.state.putVm(applyFoundOnHost(record, agentId));
  }

  /** A VM that was given to us just now, with its task if one was found before. */
  found(record: VmRecord): VmRecord {
    const { clock, tell } = this.#options;
    const task = this.#tasks.get(vmIdOf(record));
    if (task === undefined) return record;
    this.#tasks.delete(vmIdOf(record));
    tell(task.agentId, { type: 'report' });
    return applyFoundTask(record, task, clock.nowMs());
  }
}

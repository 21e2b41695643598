import type { Clock, Logger } from '@factory/runtime';
import { decodeExecutorMessage } from './executor-messages.ts';
import type { HostSilence } from './host-silence.ts';
import type { OperationDesk } from './operations.ts';
import type { OrphanList } from './orphan-list.ts';
import type { SchedulerState } from './state.ts';
import { applyObservation, type VmRecord } from './vm-record.ts';

interface ExecutorDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly silence: HostSilence;
  readonly orphans: OrphanList;
  readonly operations: OperationDesk;
  /** Does what has to be done next for VMs that have changed. */
  readonly drive: (records: readonly VmRecord[]) => void;
}

/** Takes what executors say. */
export class ExecutorDesk {
  readonly #options: ExecutorDeskOptions;

  constructor(options: ExecutorDeskOptions) {
    this.#options = options;
  }

  /** Takes a message of the executor on an agent; results are acknowledged when they are durable. */
  async take(agentId: string, data: string): Promise<void> {
    const { state, clock, logger, silence, orphans, operations, drive } = this.#options;
    const message = decodeExecutorMessage(data);
    if (message === undefined) {
      logger.warn({ agentId }, 'an executor sent something that is no message');
      return;
    }
    silence.heard(agentId);
    const heard: string[] = [];
    for (const observation of message.vms) {
      const record = state.vm(observation.vmId);
      if (record?.task?.agentId !== agentId) continue;
      state.putVm(applyObservation(record, observation, clock.nowMs()));
      heard.push(observation.vmId);
    }
    if (message.orphans !== undefined) orphans.told(agentId, message.orphans);
    operations.progress(agentId, message.progress ?? []);
    operations.results(agentId, message.operations);
    await state.commit();
    operations.acknowledge(agentId, message.operations);
    if (!message.full) return;
    // The heartbeat is also the moment at which everything unanswered is said again.
    drive(heard.flatMap((vmId) => state.vm(vmId) ?? []));
    operations.repeat(agentId);
  }
}

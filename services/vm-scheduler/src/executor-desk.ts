import type { ExecutorMessage, SchedulerMessage } from '@factory/contracts';
import type { Clock, Logger } from '@factory/runtime';
import { AbsentVms } from './absent-vms.ts';
import { decodeExecutorMessage } from './executor-messages.ts';
import type { HostSilence } from './host-silence.ts';
import type { ImageDesk } from './images/image-desk.ts';
import type { OperationDesk } from './operations.ts';
import type { OrphanList } from './orphan-list.ts';
import type { PeersDesk } from './peers-desk.ts';
import type { SchedulerState } from './state.ts';
import { applyObservation, applyTunnel, type VmRecord } from './vm-record.ts';
import type { VmUse } from './vm-use.ts';

interface ExecutorDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly silence: HostSilence;
  readonly use: VmUse;
  readonly orphans: OrphanList;
  readonly operations: OperationDesk;
  readonly peers: PeersDesk;
  readonly images: ImageDesk;
  /** Does what has to be done next for VMs that have changed. */
  readonly drive: (records: readonly VmRecord[]) => void;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
  readonly kill: (record: VmRecord) => void;
}

/** Takes what executors say. */
export class ExecutorDesk {
  readonly #options: ExecutorDeskOptions;
  readonly #absent: AbsentVms;

  constructor(options: ExecutorDeskOptions) {
    this.#options = options;
    this.#absent = new AbsentVms(options.state, options.clock);
  }

  /** Takes a message of the executor on an agent; results are acknowledged when they are durable. */
  async take(agentId: string, data: string): Promise<void> {
    const { state, clock, logger, silence, drive } = this.#options;
    const { use, orphans, operations, peers, images } = this.#options;
    const message = decodeExecutorMessage(data);
    if (message === undefined) {
      logger.warn({ agentId }, 'an executor sent something that is no message');
      return;
    }
    silence.heard(agentId);
    if (message.type === 'metrics') {
      use.told(agentId, message.samples);
      return;
    }
    if (message.type === 'images') return images.told(agentId, message.images);
    for (const observation of message.vms) {
      const record = state.vm(observation.vmId);
      if (record?.task?.agentId !== agentId) continue;
      const observed = applyObservation(record, observation, clock.nowMs());
      const address = message.tunnel?.address;
      state.putVm(address === undefined ? observed : applyTunnel(observed, address));
    }
    if (message.full) this.#noteAbsent(agentId, message);
    if (this.#isInDoubt(agentId, message)) this.#options.tell(agentId, { type: 'report' });
    if (message.orphans !== undefined) orphans.told(agentId, message.orphans);
    operations.progress(agentId, message.progress ?? []);
    operations.results(agentId, message.operations);
    await state.commit();
    operations.acknowledge(agentId, message.operations);
    if (!message.full && message.digest === undefined) return;
    if (message.tunnel !== undefined) peers.heard(agentId, message.tunnel);
    // The heartbeat is also the moment at which everything unanswered is said again.
    const unanswered = [...state.inventories.unansweredAt(agentId)];
    drive(unanswered.flatMap((vmId) => state.vm(vmId) ?? []));
    operations.repeat(agentId);
  }

  #noteAbsent(agentId: string, { vms }: ExecutorMessage): void {
    const { state, kill } = this.#options;
    const { changed, ended } = this.#absent.told(agentId, new Set(vms.map(({ vmId }) => vmId)));
    for (const record of changed) state.putVm(record);
    for (const record of ended) kill(record);
  }

  /** A heartbeat shows that the executor has other VMs than we know, or that some were absent. */
  #isInDoubt(agentId: string, { full, digest }: ExecutorMessage): boolean {
    if (full || digest === undefined) return false;
    const { inventories } = this.#options.state;
    return !inventories.isSame(agentId, digest) || this.#absent.hasSome(agentId);
  }
}

import type { VmId, VmState } from '@factory/contracts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { VmStorage } from '../storage/port.ts';
import { storedState } from '../vm/record-file.ts';

interface HolderOptions {
  readonly hypervisor: Hypervisor;
  readonly storage: VmStorage;
  /** A task speaks for it. */
  readonly isKept: (vmId: VmId) => boolean;
}

/** States in which nothing is about to be powered on, by an executor before this one either. */
const AT_REST: ReadonlySet<VmState> = new Set(['stopped', 'failed']);

/**
 * Whether what a VM holds may be given to others: its task has ended, which gave its resources back
 * to Mesos, and its guest is off for good. It is given others when it is launched again. One that
 * runs without a task, or whose memory is kept, holds what it has.
 */
export function holderIsGone({ hypervisor, storage, isKept }: HolderOptions) {
  return async (vmId: VmId, signal?: AbortSignal): Promise<boolean> => {
    const domain = await hypervisor.findDomain(vmId, signal);
    const isIdle = domain === undefined || (domain.power.kind === 'off' && !domain.power.isSaved);
    if (!isIdle) return false;
    const state = storedState(await storage.readVm(vmId));
    const isOver = state === undefined ? domain === undefined : AT_REST.has(state);
    // Asked last: it may have been launched meanwhile.
    return isOver && !isKept(vmId);
  };
}

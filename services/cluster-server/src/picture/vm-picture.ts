import {
  type Changes,
  VM_MEMORY_OVERHEAD_MIB,
  type VmAssignment,
  type VmReport,
} from '@factory/contracts';

/** Cores and memory, QEMU's own part included. */
export interface Need {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

const NOTHING: Need = { vcpus: 0, memoryMiB: 0 };

/** The cluster's VMs as the vm-scheduler tells of them. */
export class VmPicture {
  readonly #states = new Map<string, VmReport['state']>();
  /** Handed over since the vm-scheduler last said what waits. */
  readonly #handedOver = new Map<string, Need>();
  #waiting: Need = NOTHING;

  /** These are being handed to the vm-scheduler. */
  assigned(vms: readonly VmAssignment[]): void {
    for (const { vmId, spec, desired } of vms) {
      if (this.#states.has(vmId) || desired === 'deleted') continue;
      const memoryMiB = spec.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
      this.#handedOver.set(vmId, { vcpus: spec.vcpus, memoryMiB });
    }
  }

  /** What the vm-scheduler said. */
  reported({ vms, waiting }: Pick<Changes, 'vms' | 'waiting'>): void {
    for (const { vmId, state } of vms) {
      if (state === 'deleted') this.#states.delete(vmId);
      else this.#states.set(vmId, state);
    }
    this.#waiting = waiting ?? NOTHING;
    this.#handedOver.clear();
  }

  /** What VMs without a host will take. */
  promised(): Need {
    let { vcpus, memoryMiB } = this.#waiting;
    for (const need of this.#handedOver.values()) {
      vcpus += need.vcpus;
      memoryMiB += need.memoryMiB;
    }
    return { vcpus, memoryMiB };
  }

  /** How many VMs are in each state. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const state of this.#states.values()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }
}

import { VM_MEMORY_OVERHEAD_MIB, type VmAssignment, type VmReport } from '@factory/contracts';

/** States in which a VM has no place on a host yet. */
const UNPLACED = new Set(['pending', 'scheduled']);

/** The cluster's VMs as this process has seen them: what was handed over, and what was reported. */
export class VmPicture {
  readonly #sizes = new Map<string, { readonly vcpus: number; readonly memoryMiB: number }>();
  readonly #unplaced = new Set<string>();
  readonly #states = new Map<string, VmReport['state']>();

  assigned(vms: readonly VmAssignment[]): void {
    for (const { vmId, spec } of vms) {
      const memoryMiB = spec.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
      this.#sizes.set(vmId, { vcpus: spec.vcpus, memoryMiB });
      if (!this.#states.has(vmId)) this.#unplaced.add(vmId);
    }
  }

  reported(reports: readonly VmReport[]): void {
    for (const { vmId, state } of reports) {
      this.#states.set(vmId, state);
      if (!UNPLACED.has(state)) this.#unplaced.delete(vmId);
      if (state === 'deleted') {
        this.#sizes.delete(vmId);
        this.#states.delete(vmId);
      }
    }
  }

  /** What VMs without a host will take. */
  promised(): { readonly vcpus: number; readonly memoryMiB: number } {
    let vcpus = 0;
    let memoryMiB = 0;
    for (const vmId of this.#unplaced) {
      vcpus += this.#sizes.get(vmId)?.vcpus ?? 0;
      memoryMiB += this.#sizes.get(vmId)?.memoryMiB ?? 0;
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

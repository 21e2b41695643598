import type { VmId } from '@factory/contracts';
import type { GrantStore, HardwareGrant, HardwareReader } from './port.ts';

const NODES = 2;
const CPUS_PER_NODE = 32;
const PAGES = { total: 1 << 20, free: 1 << 20 };

/** What a simulated host is made of, and who holds what of it; it outlives the executors. */
export class SimulatedHardware implements HardwareReader, GrantStore {
  readonly grants = new Map<VmId, HardwareGrant>();
  /** PCI addresses at which there is nothing. */
  readonly missing = new Set<string>();

  async nodes() {
    return Array.from({ length: NODES }, (_, node) => ({
      node,
      cpus: Array.from({ length: CPUS_PER_NODE }, (_each, index) => {
        const cpu = node * CPUS_PER_NODE + index;
        return { cpu, core: `${cpu >> 1}` };
      }),
      hugepages: { '2M': PAGES, '1G': PAGES },
    }));
  }

  async pciDevice(address: string) {
    if (this.missing.has(address)) return undefined;
    const devices = [{ address, driver: undefined }];
    return { address, node: 0, group: { id: address, devices } };
  }

  async list() {
    return [...this.grants.values()];
  }

  async write(grant: HardwareGrant) {
    this.grants.set(grant.vmId, grant);
  }

  async remove(vmId: VmId) {
    this.grants.delete(vmId);
  }
}

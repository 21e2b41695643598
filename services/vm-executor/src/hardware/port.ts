import type { HostAttribute, VmId, VmSpec } from '@factory/contracts';
import type { HostParts } from '../vm/planned.ts';

/** What decides which parts of its host a VM has for itself. */
export type HardwareWish = Pick<VmSpec, 'hardware' | 'vcpus' | 'memoryMiB'>;

/** The parts of a domain that are the host's. */
export type HardwareParts = Pick<
  HostParts,
  'hostCpus' | 'hostDevices' | 'sharedCpus' | 'memoryNodes'
>;

/**
 * What of its host a VM has for itself: graphics cards and cores. It is held from before its domain
 * is defined until after it is forgotten, whether the guest is on or not; nothing is ever held by two.
 */
export interface HostHardware {
  /** Takes what the agent's attributes say that machines may have. */
  identify(attributes: readonly HostAttribute[]): void;
  /** From now on what a VM holds for which this is so may be given to others. */
  reclaimFrom(isGone: (vmId: VmId, signal?: AbortSignal) => Promise<boolean>): void;
  /**
   * Gives the VM what it asks for; asked again, the same. @throws VmFailure `GPU_UNAVAILABLE`,
   * `CPUS_UNAVAILABLE`, `HUGEPAGES_UNAVAILABLE`; it is transient when others hold it at present.
   */
  assign(vmId: VmId, wish: HardwareWish, signal?: AbortSignal): Promise<HardwareParts>;
  /** Gives back all that the VM holds. */
  release(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** The VMs that hold something. */
  listHolders(): Promise<readonly VmId[]>;
}

/** What one VM holds. */
export interface HardwareGrant {
  readonly vmId: VmId;
  /** Graphics cards by their PCI addresses. */
  readonly gpus: readonly string[];
  /** CPUs of the host, in the order of the guest's. */
  readonly cpus: readonly number[];
  /** Of the host, for each NUMA node of the guest; empty: memory comes from anywhere. */
  readonly nodes: readonly number[];
}

/** Who holds what on this host; it outlives the executor. One executor at a time works with it. */
export interface GrantStore {
  list(): Promise<readonly HardwareGrant[]>;
  /** On the disk when it resolves. */
  write(grant: HardwareGrant): Promise<void>;
  remove(vmId: VmId): Promise<void>;
}

/** A CPU of the host. */
export interface HostCpu {
  readonly cpu: number;
  /** CPUs of one core have the same. */
  readonly core: string;
}

export type HugepageSize = '2M' | '1G';

/** A NUMA node of the host, with its CPUs that are online. */
export interface HostNode {
  readonly node: number;
  readonly cpus: readonly HostCpu[];
  readonly hugepages: Readonly<Record<HugepageSize, { readonly total: number; free: number }>>;
}

/** A PCI device of the host, and those that can't be passed to a guest without it. */
export interface PciDevice {
  readonly address: string;
  /** Undefined on hosts with one node. */
  readonly node: number | undefined;
  /** Undefined: the host has no IOMMU, or it is off. */
  readonly group: IommuGroup | undefined;
}

/** What the IOMMU can't tell apart: it goes to one guest as a whole, bridges excepted. */
export interface IommuGroup {
  readonly id: string;
  /** All but bridges, sorted. */
  readonly devices: readonly {
    readonly address: string;
    /** Undefined: none has it. */
    readonly driver: string | undefined;
  }[];
}

/** Looks at what a host is made of. */
export interface HardwareReader {
  nodes(): Promise<readonly HostNode[]>;
  /** Undefined when it is not there. */
  pciDevice(address: string): Promise<PciDevice | undefined>;
}

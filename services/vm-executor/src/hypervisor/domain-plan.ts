import type { VmHardware, VmId } from '@factory/contracts';

/** What a domain is made of. What is optional, and not given, the guest does not have. */
export interface DomainPlan {
  readonly vmId: VmId;
  /** The user's wish that it was defined for. */
  readonly generation: number;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly macAddress: string;
  /** The first card's tap, made by us beforehand. */
  readonly tapName: string;
  /** Bytes of a packet on the first card's tap. */
  readonly mtuBytes?: number;
  /** qcow2 */
  readonly diskPath: string;
  /** ISO 9660: NoCloud, for Windows a config drive. */
  readonly seedPath: string;
  /** Everything that the guest writes to its serial port is appended here. */
  readonly consolePath: string;
  readonly hardware?: VmHardware;
  /** UEFI's variables, made at the first start; every UEFI guest has them. */
  readonly nvramPath?: string;
  /** A CD with drivers (virtio-win). */
  readonly driversPath?: string;
  /** CPUs of the host for the vCPUs, in their order, for a guest that is pinned. */
  readonly hostCpus?: readonly number[];
  /** CPUs of the host for all that has none of its own: other guests, and QEMU's own threads. */
  readonly sharedCpus?: readonly number[];
  /** NUMA nodes of the host that the memory of each of the guest's comes from. */
  readonly memoryNodes?: readonly number[];
  /** PCI devices of the host passed through, graphics cards and others: `0000:3b:00.0`. */
  readonly hostDevices?: readonly string[];
  /** Cards behind the first. */
  readonly nics?: readonly PlannedNic[];
  readonly volumes?: readonly PlannedVolume[];
  readonly filesystems?: readonly PlannedFilesystem[];
  /** A screen, to be seen by VNC on a socket that libvirt makes. */
  readonly hasScreen?: boolean;
  /** A channel to QEMU's guest agent. */
  readonly hasAgentChannel?: boolean;
}

/** A network card on a tap that exists before the guest starts, and that nobody else removes. */
export interface PlannedNic {
  readonly macAddress: string;
  readonly tapName: string;
  readonly mtuBytes?: number;
}

/** A disk beside the guest's own. */
export interface PlannedVolume {
  readonly path: string;
  readonly source: 'file' | 'block';
  readonly format: 'raw' | 'qcow2';
  /** By which the guest tells it from others. */
  readonly serial: string;
  readonly readOnly: boolean;
}

/** A folder of the host that the guest mounts. */
export interface PlannedFilesystem {
  readonly path: string;
  /** By which the guest mounts it. */
  readonly tag: string;
  readonly transport: 'virtiofs' | '9p';
  readonly readOnly: boolean;
}

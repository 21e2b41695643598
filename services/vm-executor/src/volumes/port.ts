import type { VmId, VolumeId, VolumeMount } from '@factory/contracts';

/** A disk that this host may open, for one VM. */
export interface HeldLease {
  readonly vmId: VmId;
  readonly volumeId: VolumeId;
  readonly epoch: number;
}

/**
 * The users' storage, as this host sees it: folders that several VMs share, and disks that one VM at
 * a time has open. QEMU's own locks don't reach other hosts, so a disk is opened under a lease that
 * lies beside it. All operations are idempotent; they throw VmFailure, which is transient while the
 * storage is away or somebody else holds the disk.
 */
export interface VolumePort {
  /** Says in whose name leases are held: that of the agent's host. */
  identify(hostName: string): void;
  /**
   * Makes the volume ready for the VM: takes the lease of a disk, and makes what is not there yet,
   * empty. @throws VmFailure `VOLUME_LOCKED`, `STORAGE_UNAVAILABLE` and its like.
   */
  prepare(vmId: VmId, mount: VolumeMount, signal?: AbortSignal): Promise<void>;
  /** Where a volume is on this host: a folder, or a disk's file. */
  pathOf(mount: Pick<VolumeMount, 'volumeId' | 'kind'>): string;
  /** Gives back all leases that are held for the VM, of these volumes only if they are named. */
  release(vmId: VmId, volumeIds?: readonly VolumeId[], signal?: AbortSignal): Promise<void>;
  /** Says that the lease is still held. `lost`: somebody has taken a newer one meanwhile. */
  renew(lease: HeldLease): Promise<'held' | 'lost'>;
  /** Bytes that volumes take, as their cluster has measured last; of what it has not, nothing. */
  usage(signal?: AbortSignal): Promise<ReadonlyMap<VolumeId, number>>;
  /** Lets the guests of this host that have a folder now write to it, or refuses that. */
  allowWrites(volumeId: VolumeId, isAllowed: boolean): Promise<void>;
  /** Leases that this host holds, or was about to take or give back. Asks no shared storage. */
  listHeld(): Promise<readonly HeldLease[]>;
  close(): Promise<void>;
}

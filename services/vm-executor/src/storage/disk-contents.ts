import type { OperationId, VmId } from '@factory/contracts';

/** A snapshot inside a disk's file. */
export interface DiskSnapshot {
  readonly tag: string;
  readonly createdAtMs: number;
}

/**
 * What is in a VM's disk, while no guest has it open (all but the list needs that). Idempotent, and
 * they throw VmFailure, as all of VmStorage; the firmware's variables go with the disk.
 */
export interface DiskContents {
  /** Those in the disk's file, oldest first; a running guest may go on meanwhile. */
  listDiskSnapshots(vmId: VmId, signal?: AbortSignal): Promise<readonly DiskSnapshot[]>;
  /** Keeps the disk as it is under a name inside its own file. */
  snapshotDisk(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;
  /** Makes the disk what it was. */
  revertDisk(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;
  /** Gives the room of a snapshot back. */
  deleteDiskSnapshot(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;
  /** Keeps the firmware's variables (UEFI) beside the disk; the guest may be on. */
  keepNvram(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;
  /** Makes the firmware's variables what they were. */
  revertNvram(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;
  forgetNvram(vmId: VmId, tag: string, signal?: AbortSignal): Promise<void>;

  /** Where an operation's copy of a disk lies until it is published, in the VM's folder. */
  imageDraftPath(vmId: VmId, operationId: OperationId): string;
  /** Where the hypervisor writes it before it is whole. */
  liveCopyPath(vmId: VmId, operationId: OperationId): string;
  /** Writes the whole disk, without what it lies upon, to the operation's draft. */
  draftImage(
    vmId: VmId,
    operationId: OperationId,
    onProgress: (percent: number) => void,
    signal?: AbortSignal,
  ): Promise<void>;
  /** What the hypervisor has written is whole: from now on it is the draft. */
  keepLiveCopy(vmId: VmId, operationId: OperationId, signal?: AbortSignal): Promise<void>;
  /** `begun`: the hypervisor has written some of it. */
  imageDraft(vmId: VmId, operationId: OperationId): Promise<'none' | 'begun' | 'whole'>;
  removeImageDraft(vmId: VmId, operationId: OperationId, signal?: AbortSignal): Promise<void>;
}

import type { ClusterId, ProjectId, VmId, Volume, VolumeId, VolumeMount } from '@factory/contracts';
import type { OverQuota } from '../quota/store.ts';
import type { WishResult } from '../vms/store.ts';
import type { VolumeChange } from './attach.ts';

/** A volume as it is kept. */
export interface VolumeRecord {
  readonly id: VolumeId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly kind: Volume['kind'];
  readonly sizeGiB: number;
  readonly clusterId: ClusterId;
  readonly state: Volume['state'];
  /** The number of the last lease that was given out for it; see `VolumeMount.leaseEpoch`. */
  readonly leaseEpoch: number;
  readonly usedBytes: number | null;
  readonly createdAtMs: number;
  /** When its cluster was last told to drop it. */
  readonly droppedAtMs: number | null;
  /** The number of that command. */
  readonly droppedSeq: number | null;
}

/** A volume, and how many machines have it that are not deleted; those yet to be made count, too. */
export interface VolumeView {
  readonly volume: VolumeRecord;
  readonly clusterName: string;
  readonly machines: number;
}

/** What the machines of a batch get. */
export interface BoundVolumes {
  readonly mounts: readonly VolumeMount[];
  /** Where they live, and so the machines; null without any. */
  readonly clusterId: ClusterId | null;
}

export type CreateVolumeResult =
  | { readonly kind: 'created'; readonly view: VolumeView }
  | { readonly kind: 'nameTaken'; readonly id: VolumeId }
  | OverQuota;

export type DeleteVolumeResult =
  | { readonly kind: 'deleting'; readonly view: VolumeView }
  | { readonly kind: 'inUse'; readonly machines: number }
  | { readonly kind: 'notFound' };

export interface VolumeListQuery {
  readonly projectId: ProjectId;
  readonly name?: string;
  /** Only volumes with a greater id. */
  readonly after?: string;
  readonly limit: number;
}

/** Volumes. Every method is one transaction. */
export interface VolumeStore {
  create(volume: VolumeRecord): Promise<CreateVolumeResult>;
  /** In order of birth, without deleted ones. */
  list(query: VolumeListQuery): Promise<readonly VolumeView[]>;
  find(projectId: ProjectId, id: VolumeId): Promise<VolumeView | undefined>;
  /**
   * Changes which volumes a machine has, as `change` says of it and of the volume of this name, and
   * tells its cluster. A disk gets a new number of its lease with it.
   */
  change(
    projectId: ProjectId,
    vmId: VmId,
    volumeName: string,
    change: VolumeChange,
  ): Promise<WishResult>;
  /** Tells its cluster to drop it, if no machine has it. Doing it again changes nothing. */
  delete(projectId: ProjectId, id: VolumeId, nowMs: number): Promise<DeleteVolumeResult>;
}

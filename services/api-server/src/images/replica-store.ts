import type { ClusterId, ImageId } from '@factory/contracts';

/** Who wants a version in a cluster; the first ones come first. */
export const REPLICA_REASONS = ['batch', 'user'] as const;
export type ReplicaReason = (typeof REPLICA_REASONS)[number];

/** A wish to have a version in a cluster. */
export interface ReplicaRecord {
  readonly clusterId: ClusterId;
  readonly imageId: ImageId;
  readonly wantedBy: ReplicaReason;
  /** Null: until it is taken back. */
  readonly untilMs: number | null;
}

/** A private version that batches wait for, and what they still are to make of it. */
export interface ImageDemand {
  readonly imageId: ImageId;
  readonly folder: string;
  readonly version: string;
  readonly vcpus: number;
}

/** Every method is one transaction. */
export interface ReplicaStore {
  /** Adds wishes; one that has no end keeps having none. */
  put(replicas: readonly ReplicaRecord[], nowMs: number): Promise<void>;
  /** Those that still hold, of one cluster if it is given. */
  list(nowMs: number, clusterId?: ClusterId): Promise<readonly ReplicaRecord[]>;
  remove(imageId: ImageId, clusterIds: readonly ClusterId[]): Promise<void>;
  demands(): Promise<readonly ImageDemand[]>;
  /** Of images to and from a cluster; null: no bound. */
  bytesPerSecond(clusterId: ClusterId): Promise<number | null>;
  /** Gives whether there is such a cluster. */
  bound(clusterName: string, bytesPerSecond: number | null): Promise<boolean>;
}

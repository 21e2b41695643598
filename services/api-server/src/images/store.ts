import type { ClusterId, ClusterImage, ImageId, ImageStage, ProjectId } from '@factory/contracts';
import type { OverQuota } from '../quota/store.ts';
import type { ImageState, ImageVersionRecord } from './version.ts';

/** What a cluster said last of its images. */
export interface ClusterImages {
  readonly clusterId: ClusterId;
  readonly clusterName: string;
  readonly images: readonly ClusterImage[];
}

/** A wish to have a version on hosts of a cluster. */
export interface StageRecord extends ImageStage {
  readonly clusterId: ClusterId;
  readonly untilMs: number;
}

export type ImagePatch = Partial<
  Omit<ImageVersionRecord, 'id' | 'projectId' | 'name' | 'folder' | 'createdAtMs'>
>;

/** Images of projects. Every method is one transaction. */
export interface ImageStore {
  /** `taken`: another project has a public image of this name, and this one is to be public. */
  create(record: ImageVersionRecord): Promise<{ readonly kind: 'created' | 'taken' } | OverQuota>;
  /** Keeps versions that are ready, but not those of which there is a record, nor those of no project. */
  adopt(records: readonly ImageVersionRecord[]): Promise<void>;
  find(id: ImageId): Promise<ImageVersionRecord | undefined>;
  /** The project's own and all public versions, those of one name if it is given. */
  visibleTo(projectId: ProjectId, name?: string): Promise<readonly ImageVersionRecord[]>;
  inStates(states: readonly ImageState[]): Promise<readonly ImageVersionRecord[]>;
  /** Changes it if it is in one of `states`; gives whether it was. */
  update(id: ImageId, states: readonly ImageState[], patch: ImagePatch): Promise<boolean>;
  /** Leases one that nobody works on to the caller until `untilMs`. */
  claim(
    states: readonly ImageState[],
    nowMs: number,
    untilMs: number,
  ): Promise<ImageVersionRecord | undefined>;
  /** Leases this one to the caller, if it is in the state and nobody has it; gives whether. */
  lease(id: ImageId, state: ImageState, nowMs: number, untilMs: number): Promise<boolean>;
  pastDeadline(nowMs: number): Promise<readonly ImageVersionRecord[]>;
  /** How many machines, and batches that still are to make some, need this version. */
  countUses(folder: string, version: string): Promise<number>;
  remove(id: ImageId): Promise<void>;
  /**
   * Keeps what a cluster says. `stale`: a newer session has taken its place; `replayed`: the request
   * was sent before.
   */
  report(input: {
    readonly clusterId: ClusterId;
    readonly epoch: number;
    readonly nonce: string;
    readonly images: readonly ClusterImage[];
    readonly nowMs: number;
  }): Promise<'kept' | 'stale' | 'replayed'>;
  /** Whether the cluster's signed request comes for the first time. */
  isFirstUse(clusterId: ClusterId, nonce: string, nowMs: number): Promise<boolean>;
  /** What all clusters said last. */
  clusterImages(): Promise<readonly ClusterImages[]>;
  putStages(stages: readonly StageRecord[]): Promise<void>;
  /** Those that still hold. */
  stages(nowMs: number): Promise<readonly StageRecord[]>;
}

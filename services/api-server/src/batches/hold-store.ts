import type { BatchId, BatchRequest, ClusterId, HoldId, ProjectId } from '@factory/contracts';
import type { Preview, PreviewSnapshot } from '../planning/preview.ts';
import type { MachineAmounts } from '../quota/rules.ts';
import type { OverQuota } from '../quota/store.ts';
import type { BatchRecord } from './store.ts';

/** Room kept for a batch that is yet to be asked for. */
export interface HoldRecord {
  readonly id: HoldId;
  readonly projectId: ProjectId;
  readonly request: BatchRequest;
  /** It counts towards the quota until a batch is made of it, which then does. */
  readonly claim: MachineAmounts;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** The batch that was made of it, for which it is kept until that is planned. */
  readonly batchId: BatchId | null;
}

/** What of a cluster is kept, with what the machines take beside their memory. */
export interface HoldPart {
  readonly clusterId: ClusterId;
  readonly vcpus: number;
  readonly memoryMiB: number;
}

export type CreateHoldResult =
  | { readonly kind: 'held'; readonly preview: Preview }
  | { readonly kind: 'noRoom'; readonly reason: string }
  | OverQuota;

/** Holds. Every method is one transaction. */
export interface HoldStore {
  /** Keeps what `decide` says, with nobody planning meanwhile, if that is all. */
  create(
    hold: HoldRecord,
    batch: BatchRecord,
    decide: (snapshot: PreviewSnapshot) => Preview,
  ): Promise<CreateHoldResult>;
  /** Used ones, too. */
  find(projectId: ProjectId, id: HoldId): Promise<HoldRecord | undefined>;
  /** Gives its room back. False when there is no such hold, or a batch was made of it. */
  release(projectId: ProjectId, id: HoldId): Promise<boolean>;
  /** Gives back the room of those whose time is over; gives how many. */
  expire(nowMs: number): Promise<number>;
}

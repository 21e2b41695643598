import type {
  Batch,
  BatchId,
  BatchVolume,
  ClusterId,
  ClusterSelector,
  HoldId,
  NicRequest,
  PlacementWishes,
  ProjectId,
  SecurityRule,
  Shape,
  SubnetId,
  VmId,
  VmSpec,
  VmState,
  VolumeMount,
} from '@factory/contracts';
import type { ListFilter } from '../http/list-query.ts';
import type { MachineAmounts } from '../quota/rules.ts';
import type { OverQuota } from '../quota/store.ts';
import type { CardRefusal } from '../subnets/cards.ts';
import type { NewSubnet } from '../subnets/store.ts';
import type { FillTerms } from './fill.ts';
import type { Lifetime } from './lifetime.ts';

/** What a batch is made of: so many equal machines, or so many cores in machines of some shapes. */
export type BatchSize =
  | { readonly kind: 'count'; readonly count: number; readonly shape: Shape }
  | { readonly kind: 'cores'; readonly totalVcpus: number; readonly shapes: readonly Shape[] };

/** A network card that all machines of a batch have. */
export interface BatchNic {
  readonly subnetId: SubnetId;
  /** The address that was asked for, counted from the subnet's first; null: any. */
  readonly offset: number | null;
}

/** What a batch's machines have in their specs as the request says it. */
export type BatchWishes = PlacementWishes &
  Pick<VmSpec, 'hardware' | 'autostart' | 'adminPassword'>;

/** A batch as it is kept. */
export interface BatchRecord {
  readonly id: BatchId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly state: Batch['state'];
  /** Its folder on the clusters' storage. */
  readonly image: string;
  /** Fixed when it was accepted; null: the newest that its cluster has when it is planned. */
  readonly imageVersion: string | null;
  readonly size: BatchSize;
  readonly diskGiB: number;
  readonly sshPublicKeys: readonly string[];
  readonly userData: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What its machines wish of their hosts, and what kind of machines they are. */
  readonly wishes: BatchWishes;
  /** Their cards, the first one first; none: one in the project's default subnet. */
  readonly nics: readonly BatchNic[];
  /** For all their cards, before the rules of the subnets. */
  readonly securityRules: readonly SecurityRule[];
  /** What its machines get of the project's volumes. */
  readonly volumes: readonly VolumeMount[];
  /** Where these are; null without any. */
  readonly volumeClusterId: ClusterId | null;
  /** Those with a higher one are planned first. */
  readonly priority: number;
  /** Whether its machines may be deleted for others. */
  readonly preemptible: boolean;
  /** Of its machines, so many were deleted for others. */
  readonly preempted: number;
  /** The clusters that it may be in. */
  readonly clusters: ClusterSelector;
  /** Why the last planning could not place everything. */
  readonly pendingReason: string | null;
  /** Whether something of it has no cluster yet. */
  readonly needsPlanning: boolean;
  readonly createdAtMs: number;
  readonly plannedAtMs: number;
}

/** How many machines of a batch are in a state; counted from the rows at every reading. */
export interface StateTally {
  readonly state: VmState;
  /** Where they are; null: nowhere yet, or the tally is of all clusters. */
  readonly clusterId: ClusterId | null;
  readonly count: number;
  readonly readyCount: number;
}

/** Machines of a batch that wait at their cluster, and what the cluster says of it. */
export interface WaitingTally {
  readonly message: string;
  readonly count: number;
}

/** On which terms a batch is had. */
export interface BatchTerms extends FillTerms, Lifetime {
  /** Whether it is yet to be seen if the fill policy is met. */
  readonly isFillOpen: boolean;
  /** Why the batch as a whole has failed. */
  readonly failure: string | null;
  /** When its owner was warned of its end. */
  readonly warnedAtMs: number | null;
}

/** What is replaced of a batch; the rest stays. */
export interface BatchPatch extends Partial<Lifetime> {
  readonly securityRules?: readonly SecurityRule[];
  readonly labels?: BatchRecord['labels'];
}

/** A batch with what its machines do. */
export interface BatchView {
  readonly batch: BatchRecord;
  readonly terms: BatchTerms;
  readonly tallies: readonly StateTally[];
  readonly waiting: readonly WaitingTally[];
}

/** A request that may be sent again: the same key and body get the same answer. */
export interface Idempotency {
  readonly key: string;
  readonly requestHash: string;
  /** The answer that is kept for the next time. */
  readonly answer: Batch;
}

export type CreateBatchResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'repeated'; readonly answer: Batch }
  | { readonly kind: 'keyReused' }
  | { readonly kind: 'nameTaken'; readonly batchId: BatchId }
  | { readonly kind: 'addressTaken'; readonly field: string; readonly vmId: VmId }
  | { readonly kind: 'volumeUnusable'; readonly detail: string }
  | { readonly kind: 'holdGone' }
  | OverQuota
  | CardRefusal;

/** A batch that is yet to be kept. */
export interface NewBatch {
  /** But for its cards and volumes. */
  readonly batch: BatchRecord;
  readonly terms: BatchTerms;
  /** The hold that it is made of. */
  readonly holdId: HoldId | undefined;
  /** What its machines can come to take at most. */
  readonly claim: MachineAmounts;
  /** Its cards, by the names of their subnets. */
  readonly cards: readonly NicRequest[];
  /** Kept when one of the cards is in it, and the project has none yet. */
  readonly defaultSubnet: NewSubnet;
  /** What its machines get of the project's volumes, by their names. */
  readonly volumes: readonly BatchVolume[];
}

export interface BatchListQuery extends ListFilter {
  readonly projectId: ProjectId;
  readonly state?: Batch['state'];
  readonly withDeleted: boolean;
  readonly limit: number;
}

/** Batches. Every method is one transaction. */
export interface BatchStore {
  /** Keeps a new batch, or says why not. */
  create(
    batch: NewBatch,
    idempotency: Idempotency | undefined,
    nowMs: number,
  ): Promise<CreateBatchResult>;
  /** In the order that the query asks for. */
  list(query: BatchListQuery): Promise<readonly BatchView[]>;
  find(projectId: ProjectId, id: BatchId): Promise<BatchView | undefined>;
  /** Its answer of then, if the key was used before. */
  keyed(projectId: ProjectId, key: string): Promise<Omit<Idempotency, 'key'> | undefined>;
  /** Changes it; the hosts of its machines are told of new security rules. */
  change(projectId: ProjectId, id: BatchId, patch: BatchPatch): Promise<BatchView | undefined>;
  /**
   * Wishes all its machines away and tells their clusters; machines that no cluster has are gone at
   * once. Doing it again changes nothing. `undefined` when there is no such batch.
   */
  delete(projectId: ProjectId, id: BatchId, nowMs: number): Promise<BatchView | undefined>;
}

import type {
  BatchId,
  ClusterId,
  DesiredState,
  GuestInfo,
  ProjectId,
  SecurityRule,
  SubnetId,
  Timeline,
  VmId,
  VmReason,
  VmState,
  VolumeId,
  VolumeMount,
} from '@factory/contracts';
import type { ListFilter } from '../http/list-query.ts';
import type { OverQuota } from '../quota/store.ts';
import type { WishDecision } from './wishes.ts';

/** A network card of a machine. */
export interface VmCard {
  readonly subnetId: SubnetId;
  /** The address within the subnet, counted from its first. */
  readonly addressOffset: number;
  readonly ipAddress: string;
  readonly macAddress: string;
}

/** A machine as it is kept: what is wished of it, where it is, and what was last reported. */
export interface VmRecord {
  readonly id: VmId;
  readonly projectId: ProjectId;
  readonly batchId: BatchId;
  readonly batchName: string;
  readonly name: string;
  readonly image: string;
  /** Of the image; null until it has a cluster, and for those of before images had versions. */
  readonly imageVersion: string | null;
  /** The wish by which its disk is made of the image; 0: it was made with it. */
  readonly imageGeneration: number;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  /** Of the first card, whose address is null while the subnet is full. */
  readonly subnetId: SubnetId;
  readonly addressOffset: number | null;
  readonly ipAddress: string | null;
  readonly macAddress: string | null;
  /** Cards behind the first. */
  readonly nics: readonly VmCard[];
  readonly createdAtMs: number;
  readonly desired: DesiredState;
  readonly generation: number;
  readonly clusterId: ClusterId | null;
  readonly assignmentEpoch: number;
  /** Number of the command that gave it to its cluster. */
  readonly assignedSeq: number | null;
  readonly state: VmState;
  readonly stateSinceMs: number;
  readonly guestReady: boolean;
  /** What its guest said of itself last. */
  readonly guest: GuestInfo | null;
  readonly reason: VmReason | null;
  readonly message: string | null;
  readonly hostName: string | null;
  /** Of the last report; 0 before the first. */
  readonly revision: number;
  readonly appliedGeneration: number;
  readonly timeline: Timeline;
  readonly volumes: readonly VolumeMount[];
  /** Taken from it by a wish that its host has not carried out: it may still have them. */
  readonly leavingVolumes: readonly VolumeId[];
  /** In place of those of its batch; null: those. */
  readonly securityRules: readonly SecurityRule[] | null;
  /** Whether it is to have an external address; null: as its batch says. */
  readonly wantsExternal: boolean | null;
  /** The one that it has, by the last report. */
  readonly externalAddress: string | null;
  /** Clusters that would not have it, and why, in words behind their names. */
  readonly excluded: readonly {
    readonly clusterId: ClusterId;
    readonly reason: string;
    /** It may be asked again after this; absent: never. */
    readonly untilMs?: number;
  }[];
}

export interface VmListQuery extends ListFilter {
  readonly projectId: ProjectId;
  readonly batchId?: BatchId;
  readonly clusterId?: ClusterId;
  readonly hostName?: string;
  readonly state?: VmState;
  /** Clusters whose machines read as `unreachable`; absent: none. */
  readonly silent?: readonly ClusterId[];
  readonly withDeleted: boolean;
  readonly limit: number;
}

export type WishResult =
  | { readonly kind: 'notFound' }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'done'; readonly vm: VmRecord };

/** Machines. Every method is one transaction. */
export interface VmStore {
  /** By default in order of birth, which is the order of their numbers within a batch. */
  list(query: VmListQuery): Promise<readonly VmRecord[]>;
  find(projectId: ProjectId, id: VmId): Promise<VmRecord | undefined>;
  /** Changes what is wished of a machine as `decide` says, and tells its cluster. */
  wish(projectId: ProjectId, id: VmId, decide: (vm: VmRecord) => WishDecision): Promise<WishResult>;
  /** The same for wishes of another size, if the quota allows it. */
  resize(
    projectId: ProjectId,
    id: VmId,
    decide: (vm: VmRecord) => WishDecision,
  ): Promise<WishResult | OverQuota>;
}

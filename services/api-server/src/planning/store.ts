import type {
  BatchId,
  Capacity,
  ClusterId,
  LinkCommand,
  OrganisationId,
  SharePlan,
  SubnetId,
  VmId,
} from '@factory/contracts';
import type { BatchRecord } from '../batches/store.ts';
import type { Admission } from '../clusters/admission.ts';
import type { ClusterPolicy } from '../policies/rules.ts';
import type { AddressPool } from '../subnets/addresses.ts';
import type { SubnetRecord } from '../subnets/store.ts';
import type { VmRecord } from '../vms/store.ts';
import type { WaitingBatch } from './fair-share.ts';
import type { Preemptible } from './preempt.ts';
import type { PreviewSnapshot } from './preview.ts';
import type { Reassignment, Stranded } from './reassign.ts';

/** Cores of a batch that a cluster was asked to turn into machines. */
export interface ShareRecord {
  readonly clusterId: ClusterId;
  /** `declined`: the cluster could not place all; it is not asked again before it has changed. */
  readonly state: 'open' | 'answered' | 'declined';
  readonly totalVcpus: number;
  readonly changedAtMs: number;
  readonly plan: SharePlan | null;
}

/** What planning knows of a cluster. */
export interface PlanningCluster {
  readonly id: ClusterId;
  readonly name: string;
  readonly lastSeenAtMs: number | null;
  /** Since when it leaves what it is given unclaimed; null while it takes it. */
  readonly silentSinceMs: number | null;
  readonly capacity: Capacity | null;
  /** Given to it after its last capacity report: what these machines need is not free any more. */
  readonly unseenVcpus: number;
  readonly unseenMemoryMiB: number;
  readonly lastCommandSeq: number;
  readonly region?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Machines go only to those that are `active`; absent: it is. */
  readonly state?: string;
  /** Of `unseenVcpus`, what is kept for batches that have waited longer. */
  readonly keptVcpus?: number;
  /** What operators allow it; absent: whatever fits. */
  readonly admission?: Admission | null;
}

/** A card that machines of the batch are to have. */
export interface PlanningCard {
  readonly subnet: SubnetRecord;
  readonly pool: AddressPool;
  /** The address that was asked for; `undefined`: any of the pool. */
  readonly asked: { readonly offset: number; readonly isFree: boolean } | undefined;
}

/** An address that a machine takes. */
export interface TakenAddress {
  readonly subnetId: SubnetId;
  readonly offset: number;
  readonly vmId: VmId;
}

/** Everything that a planning decision depends on. */
export interface PlanningSnapshot {
  readonly nowMs: number;
  readonly batch: BatchRecord;
  /** The first one first. */
  readonly cards: readonly PlanningCard[];
  /** All machines that the batch ever had. */
  readonly planned: { readonly count: number; readonly vcpus: number };
  /** Its machines that wait for a cluster. */
  readonly unassigned: readonly VmRecord[];
  readonly shares: readonly ShareRecord[];
  readonly clusters: readonly PlanningCluster[];
  /** Who it is for, and all rules on clusters; absent: there are none. */
  readonly policy?: {
    readonly organisationId: OrganisationId;
    readonly policies: readonly ClusterPolicy[];
  };
}

/** What is to be written; everything or nothing. */
export interface PlanningOutcome {
  readonly newVms: readonly VmRecord[];
  /** Machines of `unassigned` that changed: they have a cluster now, or an address, or neither. */
  readonly changedVms: readonly VmRecord[];
  readonly takenAddresses: readonly TakenAddress[];
  /** Where new addresses of the subnets begin now. */
  readonly nextOffsets: ReadonlyMap<SubnetId, number>;
  readonly commands: readonly {
    readonly clusterId: ClusterId;
    readonly seq: number;
    readonly command: LinkCommand;
  }[];
  /** The batch's shares afterwards. */
  readonly shares: readonly ShareRecord[];
  readonly batch: Pick<BatchRecord, 'state' | 'pendingReason' | 'needsPlanning'>;
}

/** Why a machine fails that its cluster did not speak of. */
export const UNHEARD = 'Its cluster did not say in time what became of it.';

/** What is said of a machine that is deleted for others. */
export const PREEMPTED = {
  reason: 'PREEMPTED',
  message: 'It was deleted to make room for others, as its batch is preemptible.',
} as const;

/** What a sweep did. */
export interface SweepResult {
  readonly vmsFailed: number;
  readonly batchesClosed: number;
  readonly operationsExpired: number;
  readonly recordsForgotten: number;
}

/** Machines of a batch that wait at full clusters. */
export interface StuckMachines {
  readonly batch: BatchRecord;
  readonly vms: readonly VmRecord[];
}

/** How much was taken back from a cluster. */
export interface TakenBack {
  readonly vms: number;
  readonly shares: number;
}

/** Planning and sweeping. Every method is one transaction. */
export interface PlanningStore {
  /**
   * Plans a batch: shows `decide` everything, under locks, and writes what it says. Nothing is
   * asked or written when the batch needs no planning; gives whether it was asked.
   */
  plan(
    batchId: BatchId,
    nowMs: number,
    decide: (snapshot: PlanningSnapshot) => PlanningOutcome,
  ): Promise<boolean>;
  /** What a dry run for a batch needs to know, which need not be kept; locks nothing. */
  preview(batch: BatchRecord, nowMs: number): Promise<PreviewSnapshot>;
  /** Batches that need planning; of more than `limit` those of the highest priority. */
  waiting(nowMs: number, limit: number): Promise<readonly WaitingBatch[]>;
  /** Machines on hosts of these clusters that may be deleted for others, or are leaving. */
  preemptible(clusterIds: readonly ClusterId[]): Promise<readonly Preemptible[]>;
  /**
   * Wishes those of these machines away that may be deleted for others, and says so in their batches;
   * gives how many.
   */
  preempt(vmIds: readonly VmId[]): Promise<number>;
  /** Machines that wait at clusters that give machines back, since before `beforeMs`, for room. */
  stuck(beforeMs: number, limit: number): Promise<readonly StuckMachines[]>;
  /** Asks their clusters for these machines. */
  askBack(vms: readonly VmRecord[]): Promise<void>;
  /** Clusters not heard of since `beforeMs` that have left something unclaimed for as long. */
  silentClusters(beforeMs: number): Promise<readonly ClusterId[]>;
  /**
   * Unless the cluster was heard of since `beforeMs`: marks it as silent, and takes back from it
   * what `decide` says; what is left of that is to be planned again. While this lasts the cluster
   * can claim nothing.
   */
  takeBack(
    from: { readonly clusterId: ClusterId; readonly beforeMs: number; readonly nowMs: number },
    decide: (stranded: Stranded) => Reassignment,
  ): Promise<TakenBack>;
  /** Ends what is past its deadline, closes what is done, forgets what is no longer needed. */
  sweep(nowMs: number, limits: SweepLimits): Promise<SweepResult>;
}

/** Ages, in milliseconds. */
export interface SweepLimits {
  /** A machine without a cluster fails. */
  readonly pendingMs: number;
  /** A machine fails of which its cluster has not said what became of it. */
  readonly scheduledMs: number;
  /** A cluster is silent: nothing of its machines is decided without it. */
  readonly silentMs: number;
  readonly idempotencyKeptMs: number;
  readonly operationsKeptMs: number;
  readonly noncesKeptMs: number;
}

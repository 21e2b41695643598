import type { BatchId, ClusterId, OperationId, SubnetId, VmId } from '@factory/contracts';
import type { BatchRecord } from '../batches/store.ts';
import type { ShareRecord } from '../planning/store.ts';
import type { VmRecord } from '../vms/store.ts';

/** What is looked at of a machine that is not deleted. */
export const AUDITED_VM = [
  ...(['id', 'batchId', 'name', 'state', 'stateSinceMs', 'reason', 'message'] as const),
  ...(['clusterId', 'assignmentEpoch', 'assignedSeq'] as const),
  ...(['subnetId', 'addressOffset', 'macAddress', 'nics'] as const),
] as const;
export type AuditedVm = Pick<VmRecord, (typeof AUDITED_VM)[number]>;

/** A batch, and how many machines it has ever had. */
export interface AuditedBatch
  extends Pick<BatchRecord, 'id' | 'name' | 'state' | 'size' | 'needsPlanning'> {
  readonly vmCount: number;
}

/** A cluster and its command log. */
export interface AuditedCluster {
  readonly id: ClusterId;
  readonly name: string;
  readonly lastSeenAtMs: number | null;
  readonly ackedSeq: number;
  /** Of the last command that was ever written. */
  readonly lastSeq: number;
  /** Of the commands that are still there. */
  readonly queued: { readonly count: number; readonly first: number; readonly last: number } | null;
}

/** A machine that a command which is still there gives to a cluster, to keep. */
export interface QueuedAssignment {
  readonly clusterId: ClusterId;
  readonly seq: number;
  readonly vmId: VmId;
  readonly assignmentEpoch: number;
}

/** Everything at one moment. */
export interface InvariantSnapshot {
  readonly nowMs: number;
  readonly vms: readonly AuditedVm[];
  readonly heldAddresses: readonly {
    readonly subnetId: SubnetId;
    readonly offset: number;
    readonly vmId: VmId;
  }[];
  /** That are not deleted. */
  readonly batches: readonly AuditedBatch[];
  readonly shares: readonly (Pick<ShareRecord, 'clusterId' | 'state' | 'changedAtMs'> & {
    readonly batchId: BatchId;
  })[];
  readonly clusters: readonly AuditedCluster[];
  readonly assignments: readonly QueuedAssignment[];
  /** Operations that run, with their deadlines. */
  readonly operations: readonly { readonly id: OperationId; readonly deadlineAtMs: number }[];
}

/** What the auditor reads. */
export interface InvariantStore {
  /** In one transaction, a statement for each kind of thing. */
  snapshot(nowMs: number): Promise<InvariantSnapshot>;
}

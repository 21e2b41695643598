import type {
  ActionKind,
  BatchId,
  ClusterId,
  OperationData,
  OperationId,
  OperationProgress,
  OperationRequest,
  OperationState,
  ProjectId,
  VmId,
  VmReason,
  VmSelection,
} from '@factory/contracts';
import type { OverQuota } from '../quota/store.ts';
import type { VmRecord } from '../vms/store.ts';
import type { BatchPart } from './batch-plan.ts';

/** A one-shot action on a machine. */
export interface OperationRecord {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly vmId: VmId;
  /** Null for one that was refused before it had a cluster. */
  readonly clusterId: ClusterId | null;
  /** Of the operation on a batch that it is part of. */
  readonly parentId: OperationId | null;
  /** Of a wish: it has ended when its machine has applied this generation. */
  readonly wishGeneration: number | null;
  readonly kind: ActionKind;
  /** What its kind needs to know (contracts: `OperationRequest`), without secrets. */
  readonly params: object;
  readonly progress: Pick<OperationProgress, 'stage' | 'percent'> | null;
  readonly state: OperationState;
  readonly reason: VmReason | null;
  readonly message: string;
  readonly output: string;
  readonly data: OperationData | null;
  readonly createdAtMs: number;
  /** When it counts as failed if nothing was heard of it. */
  readonly deadlineAtMs: number;
  readonly finishedAtMs: number | null;
}

/** Whether an operation may be done now; in words why not. */
export type OperationDecision =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly detail: string };

type StartOperationResult =
  | { readonly kind: 'notFound' }
  | { readonly kind: 'refused'; readonly detail: string }
  | OverQuota
  | { readonly kind: 'started'; readonly operation: OperationRecord };

/** An action on all machines of a batch, or on machines that were chosen otherwise. */
export interface BatchOperationRecord {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly batchId: BatchId | null;
  readonly kind: ActionKind;
  readonly createdAtMs: number;
  readonly idempotencyKey: string | null;
  /** Of what was asked for: the key is good for nothing else. */
  readonly requestHash: string;
}

/** How it stands: counted from its parts at every reading. */
export interface BatchOperationView
  extends Pick<BatchOperationRecord, 'id' | 'batchId' | 'kind' | 'createdAtMs'> {
  readonly counts: { readonly [State in OperationState]: number };
}

export interface ResultsQuery {
  readonly projectId: ProjectId;
  readonly id: OperationId;
  readonly state?: OperationState;
  /** Only those with a greater id. */
  readonly after?: string;
  readonly limit: number;
}

export type StartOnBatchResult =
  | { readonly kind: 'notFound' }
  | { readonly kind: 'keyReused' }
  | {
      readonly kind: 'started';
      readonly view: BatchOperationView;
      /** A machine is without a cluster again. */
      readonly needsPlanning: boolean;
    };

/** Operations. Every method is one transaction. */
export interface OperationStore {
  /** Keeps the operation and gives it to the machine's cluster, if `decide` allows it. */
  start(
    operation: Omit<OperationRecord, 'clusterId'>,
    /** As the cluster is told of it. */
    request: OperationRequest,
    decide: (vm: VmRecord) => OperationDecision,
  ): Promise<StartOperationResult>;
  find(projectId: ProjectId, id: OperationId): Promise<OperationRecord | undefined>;
  /**
   * Keeps the operation with a part for each machine of the batch that is not deleted, as `plan`
   * says, and tells their clusters: all of it or nothing. With a key that was used for the same, the
   * operation of then is given.
   */
  startOnBatch(
    operation: BatchOperationRecord,
    plan: (vms: readonly VmRecord[]) => readonly BatchPart[],
  ): Promise<StartOnBatchResult>;
  /** The same for machines of a project, of whichever batches. `notFound`: one of these it has not. */
  startOnMany(
    operation: BatchOperationRecord,
    selection: VmSelection,
    plan: (vms: readonly VmRecord[]) => readonly BatchPart[],
  ): Promise<StartOnBatchResult | { readonly kind: 'tooMany' }>;
  findOnBatch(projectId: ProjectId, id: OperationId): Promise<BatchOperationView | undefined>;
  /** Parts of an operation on a batch, in order of their ids. */
  results(query: ResultsQuery): Promise<readonly OperationRecord[]>;
}

import {
  type ClusterId,
  type OperationId,
  type OperationKind,
  type OperationProgress,
  type OperationRequest,
  OperationRequestSchema,
  type OperationState,
  type ProjectId,
  type VmId,
} from '@factory/contracts';
import { Value } from 'typebox/value';
import type { VmRecord } from '../vms/store.ts';

/** A one-shot action on a machine. */
export interface OperationRecord {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly vmId: VmId;
  readonly clusterId: ClusterId;
  readonly kind: OperationKind;
  /** What its kind needs to know (contracts: `OperationRequest`). */
  readonly params: object;
  readonly progress: Pick<OperationProgress, 'stage' | 'percent'> | null;
  readonly state: OperationState;
  readonly message: string;
  readonly output: string;
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
  | { readonly kind: 'started'; readonly operation: OperationRecord };

/** Operations. Every method is one transaction. */
export interface OperationStore {
  /** Keeps the operation and gives it to the machine's cluster, if `decide` allows it. */
  start(
    operation: Omit<OperationRecord, 'clusterId'>,
    decide: (vm: VmRecord) => OperationDecision,
  ): Promise<StartOperationResult>;
  find(projectId: ProjectId, id: OperationId): Promise<OperationRecord | undefined>;
}

/** An operation as its cluster is told of it. @throws when its parameters are not those of its kind. */
export function requestOf(operation: OperationRecord): OperationRequest {
  const { id: operationId, vmId, kind, deadlineAtMs, params } = operation;
  const hasParams = Object.keys(params).length > 0;
  const request = { operationId, vmId, kind, deadlineAtMs, ...(hasParams ? { params } : {}) };
  return Value.Parse(OperationRequestSchema, request);
}

import type { OperationProgress, OperationRequest, OperationResult } from '@factory/contracts';
import type { VmRecord } from '../vm-record.ts';

/** A one-shot action and, once the executor has carried it out, its result. */
export interface OperationRecord {
  readonly request: OperationRequest;
  readonly revision: number;
  readonly createdAtMs: number;
  readonly result: OperationResult | null;
  /** As its executor said last. */
  readonly progress?: OperationProgress;
  /** When the result came; old records lack it. */
  readonly finishedAtMs?: number;
}

/** Everything that changed together; stored in one transaction. */
export interface StoreChanges {
  readonly vms: readonly VmRecord[];
  readonly operations: readonly OperationRecord[];
  readonly removedVmIds: readonly string[];
  readonly removedOperationIds: readonly string[];
}

export interface StoredState {
  readonly frameworkId: string | undefined;
  readonly vms: readonly VmRecord[];
  readonly operations: readonly OperationRecord[];
}

/**
 * What the scheduler must not forget. Read once at start; from then on only written, so that no
 * decision on an offer waits for a query.
 */
export interface SchedulerStore {
  load(): Promise<StoredState>;
  saveFrameworkId(frameworkId: string | undefined): Promise<void>;
  save(changes: StoreChanges): Promise<void>;
}

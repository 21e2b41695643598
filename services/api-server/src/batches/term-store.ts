import type { BatchId } from '@factory/contracts';
import type { FillCounts, FillDecision, FillTerms } from './fill.ts';

/** A batch of which it is yet to be seen if its fill policy is met. */
export interface OpenFill {
  readonly batchId: BatchId;
  readonly terms: FillTerms;
  readonly counts: FillCounts;
}

/** What comes due of batches. Every method is one transaction. */
export interface TermStore {
  /** Those whose deadline comes first. */
  openFills(limit: number): Promise<readonly OpenFill[]>;
  /** Does what `decide` says of the batch as it is now, with nobody else changing it meanwhile. */
  settleFill(
    batchId: BatchId,
    nowMs: number,
    decide: (fill: OpenFill) => FillDecision,
  ): Promise<FillDecision>;
  /** Notes that their owners are warned of their end; gives those that were not yet. */
  warn(nowMs: number): Promise<readonly BatchId[]>;
  /** Deletes batches whose time is over; gives them. */
  expire(nowMs: number, limit: number): Promise<readonly BatchId[]>;
}

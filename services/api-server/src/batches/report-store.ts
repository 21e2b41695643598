import type { BatchId, BatchReport, ProjectId } from '@factory/contracts';

/** What became of batches. Every method is one transaction. */
export interface ReportStore {
  /** As it was kept, or as it is now. Undefined when the project has no such batch. */
  find(projectId: ProjectId, id: BatchId, nowMs: number): Promise<BatchReport | undefined>;
  /** Seconds until the last machine of a batch was powered on, of batches that rested of late. */
  recentSeconds(sinceMs: number): Promise<readonly number[]>;
  /** Keeps the reports of batches that have come to rest; gives how many. */
  keep(nowMs: number, limit: number): Promise<number>;
}

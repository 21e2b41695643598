import type { BatchId, ClusterId } from '@factory/contracts';
import type { MemoryDatabase } from './database.ts';

/** What is kept of clusters for others than this batch. */
export function heldFromOthers(
  db: MemoryDatabase,
  ownId: BatchId,
  nowMs: number,
  add: (clusterId: ClusterId, vcpus: number, memoryMiB: number) => void,
): void {
  for (const { batchId, expiresAtMs, parts } of db.holds.values()) {
    const batch = batchId === null ? undefined : db.batches.get(batchId);
    const isKept =
      batchId === null
        ? expiresAtMs > nowMs
        : batch?.needsPlanning === true && batch.plannedAtMs === 0;
    if (!isKept || batchId === ownId) continue;
    for (const { clusterId, vcpus, memoryMiB } of parts) add(clusterId, vcpus, memoryMiB);
  }
}

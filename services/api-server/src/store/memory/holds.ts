import type { BatchId, HoldId, ProjectId } from '@factory/contracts';
import type { HoldStore } from '../../batches/hold-store.ts';
import { holdParts } from '../../batches/holds.ts';
import type { MemoryDatabase } from './database.ts';
import { previewOf } from './planning.ts';
import { takeQuota } from './quota.ts';

/** See {@link HoldStore}. */
export function createMemoryHolds(db: MemoryDatabase): HoldStore {
  return {
    create: async (hold, batch, decide) => {
      const excess = takeQuota(db, hold.projectId, hold.claim);
      if (excess !== undefined) return { kind: 'overQuota', excess };
      const preview = decide(previewOf(db, batch, hold.createdAtMs));
      if (preview.unplaced > 0) return { kind: 'noRoom', reason: preview.reason ?? '' };
      db.holds.set(hold.id, { ...hold, parts: holdParts(preview) });
      return { kind: 'held', preview };
    },
    find: async (projectId, id) => {
      const hold = db.holds.get(id);
      return hold?.projectId === projectId ? hold : undefined;
    },
    release: async (projectId, id) => {
      const hold = db.holds.get(id);
      if (hold?.projectId !== projectId || hold.batchId !== null) return false;
      return db.holds.delete(id);
    },
    expire: async (nowMs) => {
      const over = [...db.holds.values()].filter(
        ({ expiresAtMs, batchId }) => batchId === null && expiresAtMs <= nowMs,
      );
      for (const { id } of over) db.holds.delete(id);
      return over.length;
    },
  };
}

/** Makes a batch that is being kept the one of a hold; false when it is too late. */
export function spendHold(
  db: MemoryDatabase,
  projectId: ProjectId,
  holdId: HoldId,
  batchId: BatchId,
  nowMs: number,
): boolean {
  const hold = db.holds.get(holdId);
  if (hold?.projectId !== projectId || hold.batchId !== null) return false;
  if (hold.expiresAtMs <= nowMs) return false;
  db.holds.set(holdId, { ...hold, batchId });
  return true;
}

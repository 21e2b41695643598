import type { BatchId, HoldId, ProjectId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { HoldRecord, HoldStore } from '../../batches/hold-store.ts';
import { holdParts } from '../../batches/holds.ts';
import type { PostgresDatabase } from './database.ts';
import { previewOf } from './planning.ts';
import { takeQuota } from './quota.ts';

const COLUMNS = {
  id: 'id',
  projectId: 'project_id',
  request: 'request',
  claim: 'claim',
  createdAtMs: 'created_at_ms',
  expiresAtMs: 'expires_at_ms',
  batchId: 'batch_id',
} as const;

/** See {@link HoldStore}. */
export function createPostgresHolds(db: PostgresDatabase): HoldStore {
  return {
    create: (hold, batch, decide) =>
      db.transaction(async (trx) => {
        const excess = await takeQuota(trx, hold.projectId, () => hold.claim);
        if (excess !== undefined) return { kind: 'overQuota', excess };
        // Nobody else promises room meanwhile.
        await trx.raw("select pg_advisory_xact_lock(hashtext('planning'))");
        const preview = decide(await previewOf(trx, batch, hold.createdAtMs));
        if (preview.unplaced > 0) return { kind: 'noRoom', reason: preview.reason ?? '' };
        await insert(trx, hold);
        const parts = holdParts(preview).map(({ clusterId, vcpus, memoryMiB }) => ({
          ...{ hold_id: hold.id, cluster_id: clusterId, vcpus, memory_mib: memoryMiB },
        }));
        await trx('hold_parts').insert(parts);
        return { kind: 'held', preview };
      }),
    find: (projectId, id) =>
      db.knex('holds').where({ id, project_id: projectId }).first<HoldRecord>(COLUMNS),
    release: async (projectId, id) => {
      const unused = { id, project_id: projectId, batch_id: null };
      return (await db.knex('holds').where(unused).delete()) > 0;
    },
    expire: async (nowMs) =>
      db.knex('holds').where('expires_at_ms', '<=', nowMs).andWhere('batch_id', null).delete(),
  };
}

async function insert(trx: Knex.Transaction, hold: HoldRecord): Promise<void> {
  await trx('holds').insert({
    ...{ id: hold.id, project_id: hold.projectId, batch_id: null },
    ...{ request: JSON.stringify(hold.request), claim: JSON.stringify(hold.claim) },
    ...{ created_at_ms: hold.createdAtMs, expires_at_ms: hold.expiresAtMs },
  });
}

/** Makes a batch that is kept in this transaction the one of a hold; false when it is too late. */
export async function spendHold(
  trx: Knex.Transaction,
  projectId: ProjectId,
  holdId: HoldId,
  batchId: BatchId,
  nowMs: number,
): Promise<boolean> {
  const count = await trx('holds')
    .where({ id: holdId, project_id: projectId, batch_id: null })
    .andWhere('expires_at_ms', '>', nowMs)
    .update({ batch_id: batchId });
  return count > 0;
}

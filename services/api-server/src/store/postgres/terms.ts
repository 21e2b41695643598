import type { BatchId } from '@factory/contracts';
import type { Knex } from 'knex';
import { countFill, type FillTally } from '../../batches/fill.ts';
import type { OpenFill, TermStore } from '../../batches/term-store.ts';
import { machinesOrCores } from '../../quota/rules.ts';
import { deleteLocked, failLocked, giveUpLocked } from './batch-ending.ts';
import type { PostgresDatabase } from './database.ts';
import { batchRows, type Row, termRows } from './rows.ts';

/** See {@link TermStore}. */
export function createPostgresTerms(db: PostgresDatabase): TermStore {
  return {
    openFills: async (limit) => {
      const rows: readonly Row[] = await db
        .knex('batches')
        .where('is_fill_open', true)
        .whereNotIn('state', ['deleting', 'deleted'])
        .orderBy('deadline_at_ms')
        .limit(limit);
      return fillsOf(db.knex, rows);
    },
    settleFill: (id, nowMs, decide) =>
      db.transaction(async (trx, wakes) => {
        const row: Row | undefined = await trx('batches')
          .where({ id, is_fill_open: true })
          .whereNotIn('state', ['deleting', 'deleted'])
          .forUpdate()
          .first();
        const [fill] = await fillsOf(trx, row === undefined ? [] : [row]);
        if (fill === undefined) return { kind: 'wait' };
        const decision = decide(fill);
        switch (decision.kind) {
          case 'wait':
            break;
          case 'filled':
            await trx('batches').where({ id }).update({ is_fill_open: false });
            break;
          case 'take':
            await giveUpLocked(trx, wakes, id, nowMs, decision.reason);
            break;
          case 'release':
            await failLocked(trx, wakes, id, nowMs, decision.reason);
        }
        return decision;
      }),
    warn: (nowMs) =>
      db.transaction(async (trx) => {
        const rows: readonly { id: BatchId }[] = await trx('batches')
          .where('warn_at_ms', '<=', nowMs)
          .andWhere('warned_at_ms', null)
          .whereNotIn('state', ['deleting', 'deleted'])
          .update({ warned_at_ms: nowMs })
          .returning('id');
        return rows.map(({ id }) => id);
      }),
    expire: (nowMs, limit) =>
      db.transaction(async (trx, wakes) => {
        // Who changes its lifetime at this moment has its row, and has the say.
        const rows: readonly { id: BatchId }[] = await trx('batches')
          .where('expires_at_ms', '<=', nowMs)
          .whereNotIn('state', ['deleting', 'deleted'])
          .orderBy('id')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .select('id');
        for (const { id } of rows) await deleteLocked(trx, wakes, id, nowMs);
        return rows.map(({ id }) => id);
      }),
  };
}

async function fillsOf(knex: Knex, rows: readonly Row[]): Promise<readonly OpenFill[]> {
  if (rows.length === 0) return [];
  const batches = rows.map(batchRows.fromRow);
  const tallies = await knex.raw<{ rows: readonly (FillTally & { batchId: BatchId })[] }>(
    `select v.batch_id as "batchId", v.state, v.desired = 'deleted' as "isWithdrawn",
       sum(case when b.size->>'kind' = 'count' then 1 else v.vcpus end)::bigint as units
     from vms v join batches b on b.id = v.batch_id
     where v.batch_id = any(:ids) group by 1, 2, 3`,
    { ids: batches.map(({ id }) => id) },
  );
  const byBatch = Map.groupBy(tallies.rows, ({ batchId }) => batchId);
  return batches.map(({ id, size, needsPlanning }, index) => ({
    batchId: id,
    terms: termRows.fromRow(rows[index] ?? {}),
    counts: countFill(machinesOrCores(size), needsPlanning, byBatch.get(id) ?? []),
  }));
}

import type { BatchId, OperationId } from '@factory/contracts';
import type { Knex } from 'knex';
import { type SweepLimits, type SweepResult, UNHEARD } from '../../planning/store.ts';
import type { WakeSet } from './database.ts';

/** Rows that one sweep forgets of each kind at most; the next one takes the rest. */
const FORGET_MAX = 10_000;

/** See `PlanningStore.sweep`. */
export async function sweep(
  trx: Knex.Transaction,
  wakes: WakeSet,
  nowMs: number,
  limits: SweepLimits,
): Promise<SweepResult> {
  const idle = { vmsFailed: 0, batchesClosed: 0, operationsExpired: 0, recordsForgotten: 0 };
  // Of several processes that sweep at the same moment, one does it.
  const { rows } = await trx.raw("select pg_try_advisory_xact_lock(hashtext('sweep')) as mine");
  if (rows[0].mine !== true) return idle;
  const pendingBeforeMs = nowMs - limits.pendingMs;
  const failed = await failPending(trx, nowMs, pendingBeforeMs);
  const unheard = await failUnheard(trx, nowMs, limits);
  const closed = await closeBatches(trx, nowMs, pendingBeforeMs);
  const expired = await expireOperations(trx, nowMs);
  wakes.add({ batches: [...failed, ...unheard, ...closed], operations: expired });
  return {
    vmsFailed: failed.length + unheard.length,
    batchesClosed: closed.length,
    operationsExpired: expired.length,
    recordsForgotten: await forget(trx, nowMs, limits),
  };
}

/** Gives the batch of each machine that failed. */
async function failPending(
  trx: Knex.Transaction,
  nowMs: number,
  beforeMs: number,
): Promise<readonly BatchId[]> {
  const { rows } = await trx.raw<{ rows: readonly { batch_id: BatchId }[] }>(
    `update vms v set state = 'failed', state_since_ms = :nowMs,
       reason = coalesce(v.reason, 'NO_CAPACITY'),
       message = coalesce(v.message, b.pending_reason, 'No cluster had room for it in time.')
     from batches b
     where b.id = v.batch_id and v.cluster_id is null and v.state = 'pending'
       and v.state_since_ms < :beforeMs and coalesce(b.deadline_at_ms, 0) < :nowMs
     returning v.batch_id`,
    { nowMs, beforeMs },
  );
  return rows.map((row) => row.batch_id);
}

/**
 * Of what a cluster was given and said nothing of, while it was heard all the time: a silent one may
 * run it. What it says later still counts.
 */
async function failUnheard(
  trx: Knex.Transaction,
  nowMs: number,
  { scheduledMs, silentMs }: SweepLimits,
): Promise<readonly BatchId[]> {
  const { rows } = await trx.raw<{ rows: readonly { batch_id: BatchId }[] }>(
    `update vms v set state = 'failed', state_since_ms = :nowMs, reason = 'DEADLINE_EXCEEDED',
       message = trim(:unheard || ' ' || coalesce(message, ''))
     from clusters k
     where k.id = v.cluster_id and k.last_seen_at_ms >= :heardAfterMs
       and k.heard_since_ms < :beforeMs
       and v.state in ('scheduled', 'launching') and v.state_since_ms < :beforeMs
     returning v.batch_id`,
    {
      ...{ nowMs, unheard: UNHEARD },
      ...{ beforeMs: nowMs - scheduledMs, heardAfterMs: nowMs - silentMs },
    },
  );
  return rows.map((row) => row.batch_id);
}

async function closeBatches(
  trx: Knex.Transaction,
  nowMs: number,
  beforeMs: number,
): Promise<readonly BatchId[]> {
  const { rows: gone } = await trx.raw<{ rows: readonly { id: BatchId }[] }>(
    `update batches b set state = 'deleted' where b.state = 'deleting'
       and not exists (select 1 from vms v where v.batch_id = b.id and v.state <> 'deleted')
     returning b.id`,
  );
  const { rows: overdue } = await trx.raw<{ rows: readonly { id: BatchId }[] }>(
    `with closed as (
       update batches b set state = 'active', needs_planning = false
       where b.needs_planning and b.created_at_ms < :beforeMs
         and coalesce(b.deadline_at_ms, 0) < :nowMs
         and not exists (select 1 from vms v
           where v.batch_id = b.id and v.cluster_id is null and v.state = 'pending')
       returning b.id
     ), withdrawn as (
       delete from batch_shares where batch_id in (select id from closed)
     )
     select id from closed`,
    { beforeMs, nowMs },
  );
  return [...gone, ...overdue].map((row) => row.id);
}

/** Also those of a silent cluster: nobody begins them after their deadline. */
async function expireOperations(
  trx: Knex.Transaction,
  nowMs: number,
): Promise<readonly OperationId[]> {
  const rows: readonly { id: OperationId }[] = await trx('operations')
    .where('state', 'running')
    .andWhere('deadline_at_ms', '<', nowMs)
    .update({
      state: 'failed',
      message: 'Nothing was heard of it in time.',
      finished_at_ms: nowMs,
    })
    .returning('id');
  return rows.map((row) => row.id);
}

async function forget(trx: Knex.Transaction, nowMs: number, limits: SweepLimits): Promise<number> {
  const old = [
    ['operations', "state <> 'running' and finished_at_ms < ?", limits.operationsKeptMs],
    ['batch_operations', 'created_at_ms < ?', limits.idempotencyKeptMs],
    ['link_nonces', 'seen_at_ms < ?', limits.noncesKeptMs],
    ['console_tickets', 'expires_at_ms < ?', limits.noncesKeptMs],
  ] as const;
  let forgotten = 0;
  for (const [table, condition, keptMs] of old) {
    const { rowCount } = await trx.raw<{ rowCount: number }>(
      `delete from ${table} where ctid = any(array(
         select ctid from ${table} where ${condition} limit ${FORGET_MAX}))`,
      [nowMs - keptMs],
    );
    forgotten += rowCount;
  }
  return forgotten;
}

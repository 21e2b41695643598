import type { BatchId, VmState } from '@factory/contracts';
import type { Knex } from 'knex';
import { WAITING_STATES } from '../../batches/fill.ts';
import { wishCommands } from '../../planning/assignments.ts';
import type { VmRecord } from '../../vms/store.ts';
import { appendCommands, type WakeSet } from './database.ts';
import { keepReport } from './reports.ts';
import { type Row, vmRows } from './rows.ts';

/** Wishes all machines of a batch away, whose row is locked; it is over once they are gone. */
export async function deleteLocked(
  trx: Knex.Transaction,
  wakes: WakeSet,
  id: BatchId,
  nowMs: number,
): Promise<void> {
  await keepReport(trx, id, nowMs);
  await wishAway(trx, wakes, id, nowMs);
  await endPlanning(
    trx,
    id,
    `state = case when exists (select 1 from vms where batch_id = :id and state <> 'deleted')
       then 'deleting' else 'deleted' end`,
  );
}

/** Releases all machines of a batch, whose row is locked: as a whole it has failed. */
export async function failLocked(
  trx: Knex.Transaction,
  wakes: WakeSet,
  id: BatchId,
  nowMs: number,
  failure: string,
): Promise<void> {
  await trx('batches').where({ id }).update({ failure });
  await keepReport(trx, id, nowMs);
  await wishAway(trx, wakes, id, nowMs);
  await endPlanning(trx, id, "state = 'failed', is_fill_open = false");
}

/** Gives up what waits of a batch, whose row is locked. */
export async function giveUpLocked(
  trx: Knex.Transaction,
  wakes: WakeSet,
  id: BatchId,
  nowMs: number,
  reason: string,
): Promise<void> {
  await trx.raw(
    `update vms set state = 'failed', state_since_ms = :nowMs,
       reason = coalesce(reason, 'NO_CAPACITY'), message = coalesce(message, :reason)
     where batch_id = :id and cluster_id is null and state = 'pending' and desired <> 'deleted'`,
    { id, nowMs, reason },
  );
  await wishAway(trx, wakes, id, nowMs, WAITING_STATES);
  await endPlanning(trx, id, "state = 'active', is_fill_open = false");
}

async function endPlanning(trx: Knex.Transaction, id: BatchId, changes: string): Promise<void> {
  await trx('batch_shares').where('batch_id', id).delete();
  await trx.raw(
    `update batches set needs_planning = false, pending_reason = null, ${changes} where id = :id`,
    { id },
  );
}

/** What decideWish (vms/wishes.ts) says of `delete`, for machines of a batch in these states. */
async function wishAway(
  trx: Knex.Transaction,
  wakes: WakeSet,
  batchId: BatchId,
  nowMs: number,
  states?: readonly VmState[],
): Promise<void> {
  const { rows } = await trx.raw<{ rows: readonly Row[] }>(
    `update vms set desired = 'deleted', generation = generation + 1,
       state = case when cluster_id is null then 'deleted' else state end,
       state_since_ms = case when cluster_id is null then :nowMs else state_since_ms end,
       reason = case when cluster_id is null then null else reason end,
       message = case when cluster_id is null then null else message end
     where batch_id = :batchId and state <> 'deleted'
       and (desired <> 'deleted' or state = 'failed') and (:all or state = any(:states))
     returning id, cluster_id, generation, desired`,
    { batchId, nowMs, all: states === undefined, states: [...(states ?? [])] },
  );
  const gone: readonly VmRecord[] = rows.map(vmRows.fromRow);
  const commands = wishCommands(gone);
  for (const clusterId of [...commands.keys()].sort()) {
    await appendCommands(trx, clusterId, commands.get(clusterId) ?? []);
  }
  wakes.add({ clusters: [...commands.keys()], batches: [batchId] });
}

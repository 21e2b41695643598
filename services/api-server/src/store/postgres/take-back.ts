import type { BatchId, ClusterId, NumberedCommand, OperationId } from '@factory/contracts';
import type { Knex } from 'knex';
import { batchesToPlan, TAKEN_BACK } from '../../planning/reassign.ts';
import type { PlanningStore, TakenBack } from '../../planning/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { WakeSet } from './database.ts';
import { type Row, vmRows } from './rows.ts';

/** Machines that their cluster `k` has not claimed. */
const UNCLAIMED =
  "v.cluster_id = k.id and v.assigned_seq > k.claimed_seq and v.state = 'scheduled'";

/** See `PlanningStore.silentClusters`. */
export async function silentClusters(knex: Knex, beforeMs: number): Promise<readonly ClusterId[]> {
  const { rows } = await knex.raw<{ rows: readonly { id: ClusterId }[] }>(
    `select k.id from clusters k join command_logs l on l.cluster_id = k.id
     where l.last_seq > k.claimed_seq and k.last_seen_at_ms < :beforeMs
       and (exists (select 1 from vms v where ${UNCLAIMED} and v.state_since_ms < :beforeMs)
         or exists (select 1 from batch_shares s
           where s.cluster_id = k.id and s.state = 'open' and s.changed_at_ms < :beforeMs))
     order by k.id`,
    { beforeMs },
  );
  return rows.map((row) => row.id);
}

/** See `PlanningStore.takeBack`. Locks batches, the cluster, machines, in this order. */
export async function takeBack(
  trx: Knex.Transaction,
  wakes: WakeSet,
  { clusterId, beforeMs, nowMs }: Parameters<PlanningStore['takeBack']>[0],
  decide: Parameters<PlanningStore['takeBack']>[1],
): Promise<TakenBack> {
  const batchIds = await lockBatches(trx, clusterId);
  const cluster = await lockSilent(trx, clusterId, beforeMs, nowMs);
  if (cluster === undefined) return { vms: 0, shares: 0 };
  const { name: clusterName, claimedSeq } = cluster;
  const rows: readonly Row[] = await trx('vms')
    .where({ cluster_id: clusterId, state: 'scheduled' })
    .andWhere('assigned_seq', '>', claimedSeq)
    .whereIn('batch_id', [...batchIds])
    .orderBy('id')
    .forUpdate()
    .select(...vmRows.columns);
  const commands: readonly NumberedCommand[] = await trx('commands')
    .where('cluster_id', clusterId)
    .andWhere('seq', '>', claimedSeq)
    .orderBy('seq')
    .select('seq', 'command');
  const vms = rows.map(vmRows.fromRow);
  const outcome = decide({ nowMs, clusterId, clusterName, claimedSeq, commands, vms });
  await rewriteCommands(trx, clusterId, outcome.commands);
  await leaveCluster(trx, outcome.vms);
  await endOperations(trx, outcome.operationIds, nowMs);
  const ofShares = await dropShares(trx, clusterId, batchIds);
  const toPlan = [...new Set([...batchesToPlan(outcome.vms), ...ofShares])];
  await planAgain(trx, toPlan);
  const batches = [...new Set([...outcome.vms.map((vm) => vm.batchId), ...toPlan])];
  wakes.add({ batches, operations: outcome.operationIds });
  return { vms: outcome.vms.length, shares: ofShares.length };
}

async function lockBatches(
  trx: Knex.Transaction,
  clusterId: ClusterId,
): Promise<readonly BatchId[]> {
  const { rows } = await trx.raw<{ rows: readonly { id: BatchId }[] }>(
    `select b.id from batches b
     where b.id in (select v.batch_id from vms v join clusters k on ${UNCLAIMED}
                    where k.id = :clusterId
                    union select batch_id from batch_shares
                    where cluster_id = :clusterId and state = 'open')
     order by b.id for update`,
    { clusterId },
  );
  return rows.map((row) => row.id);
}

/** Marks the cluster as silent and holds its row: it claims nothing before this is over. */
async function lockSilent(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  beforeMs: number,
  nowMs: number,
): Promise<{ readonly name: string; readonly claimedSeq: number } | undefined> {
  const { rows } = await trx.raw<{ rows: readonly { name: string; claimedSeq: number }[] }>(
    `update clusters k set silent_since_ms = coalesce(silent_since_ms, :nowMs)
     where id = :clusterId and last_seen_at_ms < :beforeMs
     returning name, claimed_seq as "claimedSeq"`,
    { clusterId, beforeMs, nowMs },
  );
  return rows[0];
}

async function rewriteCommands(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  commands: readonly NumberedCommand[],
): Promise<void> {
  if (commands.length === 0) return;
  await trx.raw(
    `update commands c set command = each.text::jsonb, bytes = length(each.text)
     from unnest(:seqs::bigint[], :texts::text[]) as each(seq, text)
     where c.cluster_id = :clusterId and c.seq = each.seq`,
    {
      clusterId,
      seqs: commands.map((each) => each.seq),
      texts: commands.map((each) => JSON.stringify(each.command)),
    },
  );
}

/** These batches have machines that wait for a cluster. */
export async function planAgain(
  trx: Knex.Transaction,
  batchIds: readonly BatchId[],
): Promise<void> {
  if (batchIds.length === 0) return;
  await trx('batches')
    .whereIn('id', [...batchIds])
    .whereIn('state', ['accepted', 'planning', 'active'])
    .update({ state: 'planning', needs_planning: true });
}

/** Writes machines that have lost their cluster, or are gone. */
export async function leaveCluster(trx: Knex.Transaction, vms: readonly VmRecord[]): Promise<void> {
  if (vms.length === 0) return;
  await trx.raw(
    `update vms v set cluster_id = r.cluster_id, assigned_seq = r.assigned_seq,
       assignment_epoch = r.assignment_epoch, state = r.state, state_since_ms = r.state_since_ms,
       guest_ready = r.guest_ready, guest = r.guest, reason = r.reason, message = r.message,
       host_name = r.host_name, revision = r.revision, applied_generation = r.applied_generation,
       image_version = r.image_version, external_address = r.external_address,
       excluded = r.excluded
     from jsonb_populate_recordset(null::vms, ?::jsonb) r where v.id = r.id`,
    [JSON.stringify(vms.map(vmRows.toRow))],
  );
}

async function endOperations(
  trx: Knex.Transaction,
  ids: readonly OperationId[],
  nowMs: number,
): Promise<void> {
  if (ids.length === 0) return;
  await trx('operations')
    .whereIn('id', [...ids])
    .andWhere('state', 'running')
    .update({ state: 'failed', message: TAKEN_BACK, finished_at_ms: nowMs });
}

/** Cores that it was to plan are asked of others; gives their batches. */
async function dropShares(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  batchIds: readonly BatchId[],
): Promise<readonly BatchId[]> {
  const rows: readonly { batch_id: BatchId }[] = await trx('batch_shares')
    .where({ cluster_id: clusterId, state: 'open' })
    .whereIn('batch_id', [...batchIds])
    .delete()
    .returning('batch_id');
  return rows.map((row) => row.batch_id);
}

import {
  BATCH_LIMITS,
  type BatchId,
  type ClusterId,
  VM_MEMORY_OVERHEAD_MIB,
} from '@factory/contracts';
import type { Knex } from 'knex';
import type { BatchRecord } from '../../batches/store.ts';
import type { PreviewSnapshot } from '../../planning/preview.ts';
import { renumbered, type Shifts } from '../../planning/renumber.ts';
import type {
  PlanningCard,
  PlanningCluster,
  PlanningOutcome,
  PlanningSnapshot,
  PlanningStore,
  ShareRecord,
} from '../../planning/store.ts';
import { DEFAULT_SUBNET } from '../../subnets/cards.ts';
import type { VmRecord } from '../../vms/store.ts';
import { poolOf, takeAddresses } from './addresses.ts';
import type { PostgresDatabase } from './database.ts';
import { policyOf, waitingBatches } from './policies.ts';
import { preempt, preemptible } from './preemption.ts';
import { batchRows, type Row, vmRows } from './rows.ts';
import { lockSubnets, subnetNamed } from './subnet-rows.ts';
import { sweep } from './sweep.ts';
import { silentClusters, takeBack } from './take-back.ts';
import { askBack, stuck } from './withdraw.ts';

/** See {@link PlanningStore}. */
export function createPostgresPlanning(db: PostgresDatabase): PlanningStore {
  return {
    plan: (batchId, nowMs, decide) =>
      db.transaction(async (trx, wakes) => {
        // One planning at a time, over all processes: two would promise the same room.
        await trx.raw("select pg_advisory_xact_lock(hashtext('planning'))");
        const row: Row | undefined = await trx('batches')
          .where({ id: batchId, needs_planning: true })
          .forUpdate()
          .first();
        if (row === undefined) return false;
        const snapshot = await snapshotOf(trx, batchRows.fromRow(row), nowMs);
        const decided = decide(snapshot);
        const outcome = renumbered(decided, await lockLogs(trx, snapshot, decided));
        await write(trx, snapshot, outcome);
        const clusters = outcome.commands.map((each) => each.clusterId);
        wakes.add({ clusters, batches: [batchId] });
        return true;
      }),
    preview: (batch, nowMs) => previewOf(db.knex, batch, nowMs),
    waiting: (nowMs, limit) => waitingBatches(db.knex, nowMs, limit),
    preemptible: (clusterIds) => preemptible(db.knex, clusterIds),
    preempt: (vmIds) => db.transaction((trx, wakes) => preempt(trx, wakes, vmIds)),
    stuck: (beforeMs, limit) => stuck(db.knex, beforeMs, limit),
    askBack: (vms) => db.transaction((trx, wakes) => askBack(trx, wakes, vms)),
    silentClusters: (beforeMs) => silentClusters(db.knex, beforeMs),
    takeBack: (from, decide) => db.transaction((trx, wakes) => takeBack(trx, wakes, from, decide)),
    sweep: (nowMs, limits) => db.transaction((trx, wakes) => sweep(trx, wakes, nowMs, limits)),
  };
}

/** See `PlanningStore.preview`. */
export async function previewOf(
  knex: Knex,
  batch: BatchRecord,
  nowMs: number,
): Promise<PreviewSnapshot> {
  const clusters = await clustersOf(knex, batch.id, nowMs);
  return { nowMs, batch, clusters, policy: await policyOf(knex, batch.projectId) };
}

async function snapshotOf(
  trx: Knex.Transaction,
  batch: BatchRecord,
  nowMs: number,
): Promise<PlanningSnapshot> {
  const planned = await trx('vms')
    .where('batch_id', batch.id)
    .first(trx.raw('count(*) as count, coalesce(sum(vcpus), 0) as vcpus'));
  const isFirst = planned.count === 0;
  return {
    nowMs,
    batch,
    cards: await cardsOf(trx, batch),
    planned,
    unassigned: isFirst ? [] : await unassignedOf(trx, batch.id),
    shares: batch.size.kind === 'cores' ? await sharesOf(trx, batch.id) : [],
    clusters: await clustersOf(trx, batch.id, nowMs),
    policy: await policyOf(trx, batch.projectId),
  };
}

async function unassignedOf(trx: Knex.Transaction, batchId: BatchId): Promise<VmRecord[]> {
  const rows: readonly Row[] = await trx('vms')
    .where({ batch_id: batchId, cluster_id: null, state: 'pending' })
    .orderBy('id')
    .select(...vmRows.columns);
  return rows.map(vmRows.fromRow);
}

async function sharesOf(trx: Knex.Transaction, batchId: BatchId): Promise<ShareRecord[]> {
  return trx('batch_shares').where('batch_id', batchId).orderBy('cluster_id').select({
    clusterId: 'cluster_id',
    state: 'state',
    totalVcpus: 'total_vcpus',
    changedAtMs: 'changed_at_ms',
    plan: 'plan',
  });
}

/** The cards that the batch's machines have, with the subnets locked: addresses are given out. */
async function cardsOf(trx: Knex.Transaction, batch: BatchRecord): Promise<PlanningCard[]> {
  const nics = batch.nics.length > 0 ? batch.nics : await defaultNics(trx, batch);
  const subnets = await lockSubnets(
    trx,
    nics.map((nic) => nic.subnetId),
  );
  const most = batch.size.kind === 'count' ? batch.size.count : BATCH_LIMITS.countMax;
  const cards: PlanningCard[] = [];
  for (const { subnetId, offset } of nics) {
    const subnet = subnets.get(subnetId);
    if (subnet === undefined) throw new Error(`${batch.id} is in ${subnetId}, which is gone`);
    cards.push({ subnet, ...(await poolOf(trx, subnet, offset, most)) });
  }
  return cards;
}

/** Of batches of before there were others. */
async function defaultNics(trx: Knex.Transaction, { id, projectId }: BatchRecord) {
  const subnet = await subnetNamed(trx, projectId, DEFAULT_SUBNET);
  if (subnet === undefined) throw new Error(`${id} is in no subnet`);
  return [{ subnetId: subnet.id, offset: null }];
}

/** With what is held for other batches than this one taken from their room. */
async function clustersOf(knex: Knex, ownId: BatchId, nowMs: number): Promise<PlanningCluster[]> {
  const { rows } = await knex.raw<{ rows: PlanningCluster[] }>(
    `select k.id, k.name, k.last_seen_at_ms as "lastSeenAtMs",
       k.silent_since_ms as "silentSinceMs", k.region, k.attributes, k.state, k.capacity,
       l.last_seq as "lastCommandSeq",
       coalesce(u.vcpus, 0) + coalesce(s.vcpus, 0) + coalesce(h.vcpus, 0) as "unseenVcpus",
       (coalesce(u.memory_mib, 0) + coalesce(h.memory_mib, 0))::bigint as "unseenMemoryMiB",
       case when k.caps <> '{}' then jsonb_build_object('caps', k.caps, 'given',
         jsonb_build_object('vms', g.vms,
           'vcpus', g.vcpus + coalesce(s.vcpus, 0) + coalesce(h.vcpus, 0),
           'memoryMiB', g.memory_mib + coalesce(h.memory_mib, 0))) end as admission
     from clusters k
     join command_logs l on l.cluster_id = k.id
     left join lateral (
       select sum(vcpus) as vcpus, sum(memory_mib + :overheadMiB) as memory_mib from vms
       where cluster_id = k.id and assigned_seq > k.capacity_seq and state <> 'deleted') u on true
     left join lateral (
       select sum(total_vcpus) as vcpus from batch_shares
       where cluster_id = k.id and state <> 'declined') s on true
     left join lateral (
       select sum(p.vcpus) as vcpus, sum(p.memory_mib) as memory_mib
       from hold_parts p join holds d on d.id = p.hold_id left join batches b on b.id = d.batch_id
       where p.cluster_id = k.id and d.batch_id is distinct from :ownId
         and case when d.batch_id is null then d.expires_at_ms > :nowMs
           else b.needs_planning and b.planned_at_ms = 0 end) h on true
     left join lateral (
       select count(*) as vms, coalesce(sum(vcpus), 0) as vcpus,
         coalesce(sum(memory_mib), 0) as memory_mib
       from vms where k.caps <> '{}' and cluster_id = k.id and state <> 'deleted') g on true
     order by k.name`,
    { overheadMiB: VM_MEMORY_OVERHEAD_MIB, ownId, nowMs },
  );
  return rows;
}

/**
 * Locks the logs that get commands, and only now: those who wish something of a machine do not wait
 * while it is decided. Gives by how much they have grown since they were read.
 */
async function lockLogs(
  trx: Knex.Transaction,
  { clusters }: PlanningSnapshot,
  { commands }: PlanningOutcome,
): Promise<Shifts> {
  const ids = [...new Set(commands.map((each) => each.clusterId))];
  if (ids.length === 0) return new Map();
  const rows: readonly { cluster_id: ClusterId; last_seq: number }[] = await trx('command_logs')
    .whereIn('cluster_id', ids)
    .orderBy('cluster_id')
    .forUpdate()
    .select('cluster_id', 'last_seq');
  const known = new Map(clusters.map((each) => [each.id, each.lastCommandSeq]));
  return new Map(
    rows.map((row) => [row.cluster_id, row.last_seq - (known.get(row.cluster_id) ?? 0)]),
  );
}

async function write(
  trx: Knex.Transaction,
  { batch, cards, nowMs, shares }: PlanningSnapshot,
  outcome: PlanningOutcome,
): Promise<void> {
  await insertVms(trx, outcome.newVms);
  await updateVms(trx, outcome.changedVms);
  await takeAddresses(trx, outcome.takenAddresses);
  await insertCommands(trx, outcome.commands);
  if (outcome.shares.length > 0 || shares.length > 0) {
    await replaceShares(trx, batch.id, outcome.shares);
  }
  await trx('batches').where('id', batch.id).update({
    state: outcome.batch.state,
    pending_reason: outcome.batch.pendingReason,
    needs_planning: outcome.batch.needsPlanning,
    planned_at_ms: nowMs,
  });
  for (const { subnet } of cards) {
    const nextOffset = outcome.nextOffsets.get(subnet.id) ?? subnet.nextOffset;
    if (nextOffset === subnet.nextOffset) continue;
    await trx('subnets').where('id', subnet.id).update({ next_offset: nextOffset });
  }
}

async function insertVms(trx: Knex.Transaction, vms: readonly VmRecord[]): Promise<void> {
  if (vms.length === 0) return;
  const columns = vmRows.columns.join(', ');
  await trx.raw(
    `insert into vms (${columns})
     select ${columns} from jsonb_populate_recordset(null::vms, ?::jsonb)`,
    [JSON.stringify(vms.map(vmRows.toRow))],
  );
}

async function updateVms(trx: Knex.Transaction, vms: readonly VmRecord[]): Promise<void> {
  if (vms.length === 0) return;
  await trx.raw(
    `update vms v set cluster_id = r.cluster_id, assigned_seq = r.assigned_seq, state = r.state,
       state_since_ms = r.state_since_ms, reason = r.reason, message = r.message,
       timeline = r.timeline, image_version = r.image_version, nics = r.nics,
       address_offset = r.address_offset, ip_address = r.ip_address, mac_address = r.mac_address
     from jsonb_populate_recordset(null::vms, ?::jsonb) r where v.id = r.id`,
    [JSON.stringify(vms.map(vmRows.toRow))],
  );
}

async function insertCommands(
  trx: Knex.Transaction,
  commands: PlanningOutcome['commands'],
): Promise<void> {
  if (commands.length === 0) return;
  const texts = commands.map((each) => JSON.stringify(each.command));
  const lastSeqs = new Map<ClusterId, number>();
  for (const { clusterId, seq } of commands) lastSeqs.set(clusterId, seq);
  await trx.raw(
    `with added as (
       insert into commands (cluster_id, seq, command, bytes)
       select c, s, t::jsonb, length(t)
       from unnest(:clusterIds::text[], :seqs::bigint[], :texts::text[]) as each(c, s, t)
     )
     update command_logs l set last_seq = each.seq
     from unnest(:logs::text[], :lastSeqs::bigint[]) as each(cluster_id, seq)
     where l.cluster_id = each.cluster_id`,
    {
      clusterIds: commands.map((each) => each.clusterId),
      seqs: commands.map((each) => each.seq),
      texts,
      logs: [...lastSeqs.keys()],
      lastSeqs: [...lastSeqs.values()],
    },
  );
}

async function replaceShares(
  trx: Knex.Transaction,
  batchId: BatchId,
  shares: readonly ShareRecord[],
): Promise<void> {
  await trx('batch_shares').where('batch_id', batchId).delete();
  if (shares.length === 0) return;
  await trx('batch_shares').insert(
    shares.map((share) => ({
      batch_id: batchId,
      cluster_id: share.clusterId,
      state: share.state,
      total_vcpus: share.totalVcpus,
      changed_at_ms: share.changedAtMs,
      plan: share.plan === null ? null : JSON.stringify(share.plan),
    })),
  );
}

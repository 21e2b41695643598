import type { BatchId, OperationId } from '@factory/contracts';
import type { Knex } from 'knex';
import {
  type CapacitySummary,
  mayHaveMoreRoom,
  summariseCapacity,
} from '../../clusters/capacity-summary.ts';
import { SILENT_AFTER_MS } from '../../clusters/connection.ts';
import { type FormerVm, farewell } from '../../clusters/former-vms.ts';
import type { ExchangeNews, IngestResult } from '../../clusters/store.ts';
import { appendCommands, type PostgresDatabase, type WakeSet } from './database.ts';
import { takeRefusals } from './refusals.ts';
import { takeVolumes } from './volumes.ts';
import { takeGivenBack } from './withdraw.ts';

/**
 * Takes an exchange's news in one transaction, each kind of news in one statement however much
 * there is of it. See `ClusterStore.ingest`.
 */
export async function ingest(db: PostgresDatabase, news: ExchangeNews): Promise<IngestResult> {
  const { result, emptied } = await db.transaction((trx, wakes) => take(trx, wakes, news));
  if (emptied.length > 0) await closeEmptied(db, emptied);
  return result;
}

interface Taken {
  readonly result: IngestResult;
  /** Batches of which a machine is gone: perhaps the last one. */
  readonly emptied: readonly BatchId[];
}

async function take(trx: Knex.Transaction, wakes: WakeSet, news: ExchangeNews): Promise<Taken> {
  const summary = news.capacity === undefined ? undefined : summariseCapacity(news.capacity);
  const door = await enter(trx, news, summary);
  if (!door.isFresh) return { result: { kind: 'replayed' }, emptied: [] };
  if (door.epoch !== news.epoch) {
    return { result: { kind: 'stale', epoch: door.epoch }, emptied: [] };
  }
  const givenBack = await takeGivenBack(trx, news);
  const vms = await takeVms(trx, news);
  await takeVolumes(trx, wakes, news);
  const refused = await takeRefusals(trx, news);
  await takeProgress(trx, news);
  const operations = [...(await takeOperations(trx, news)), ...(await endWishes(trx, news))];
  const plannedBatchIds = await takePlans(trx, news);
  await sayFarewell(trx, wakes, news, vms.former ?? []);
  const batches = [...(vms.batchIds ?? []), ...refused.batchIds, ...givenBack];
  wakes.add({ batches, operations, clusters: refused.clusters });
  const isWorthPlanning =
    refused.toPlan.length + givenBack.length > 0 ||
    (summary !== undefined &&
      mayHaveMoreRoom(door.before, summary) &&
      (await trx('batches').where('needs_planning', true).first('id')) !== undefined);
  const { changed: vmsChanged, foreign: vmsForeign } = vms;
  return {
    result: { kind: 'ingested', vmsChanged, vmsForeign, plannedBatchIds, isWorthPlanning },
    emptied: [...(vms.emptied ?? []), ...refused.emptied],
  };
}

/** Since when the cluster of this row, which is heard now, has been so without a longer silence. */
export const HEARD_SINCE = `case when last_seen_at_ms >= :heardAfterMs then heard_since_ms
  else :nowMs end`;

/**
 * Spends the nonce, checks the epoch, keeps the capacity, drops acknowledged commands, and claims
 * those of the log: from now on the cluster may have them.
 */
async function enter(
  trx: Knex.Transaction,
  news: ExchangeNews,
  summary: CapacitySummary | undefined,
): Promise<{ isFresh: boolean; epoch: number; before: CapacitySummary | null }> {
  const capacityColumns =
    summary === undefined
      ? ''
      : `, capacity = :capacity::jsonb, capacity_summary = :summary::jsonb,
         capacity_seq = greatest(acked_seq, :appliedSeq)`;
  const { rows } = await trx.raw(
    `with fresh as (
       insert into link_nonces (cluster_id, nonce, seen_at_ms)
       values (:clusterId, :nonce, :nowMs) on conflict do nothing returning 1
     ), touched as (
       update clusters set last_seen_at_ms = :nowMs, silent_since_ms = null,
         heard_since_ms = ${HEARD_SINCE},
         claimed_seq = greatest(claimed_seq,
           (select last_seq from command_logs where cluster_id = :clusterId)),
         acked_seq = greatest(acked_seq, :appliedSeq)${capacityColumns}
       where id = :clusterId and epoch = :epoch and exists (select 1 from fresh) returning id
     ), dropped as (
       delete from commands where cluster_id in (select id from touched) and seq <= :appliedSeq
     )
     select exists (select 1 from fresh) as fresh, epoch, capacity_summary as before,
       -- What changes from here on changes now: the trigger of migration 0071 writes it down.
       set_config('factory.now_ms', :nowMs::text, true)
     from clusters where id = :clusterId`,
    {
      clusterId: news.clusterId,
      nonce: news.nonce,
      nowMs: news.nowMs,
      heardAfterMs: news.nowMs - SILENT_AFTER_MS,
      epoch: news.epoch,
      appliedSeq: news.appliedCommandSeq,
      ...(summary === undefined
        ? {}
        : { capacity: JSON.stringify(news.capacity), summary: JSON.stringify(summary) }),
    },
  );
  const row = rows[0];
  return { isFresh: row.fresh, epoch: row.epoch, before: row.before };
}

async function takeVms(trx: Knex.Transaction, news: ExchangeNews) {
  if (news.vms.length === 0)
    return { changed: 0, foreign: 0, batchIds: [], emptied: [], former: [] };
  const { rows } = await trx.raw<{
    rows: readonly {
      known: number;
      changed: number;
      batch_ids: readonly BatchId[] | null;
      emptied: readonly BatchId[] | null;
      former: readonly FormerVm[] | null;
    }[];
  }>(
    `with report as (
       select * from jsonb_to_recordset(:reports::jsonb) as r(
         "vmId" text, "assignmentEpoch" int, revision bigint, generation int, state text,
         "stateSinceMs" double precision, "guestReady" boolean, reason text, message text,
         "hostName" text, timeline jsonb, applied jsonb,
         "externalAddress" text, guest jsonb)
     ), known as (
       select v.id from report r join vms v on v.id = r."vmId"
         and v.cluster_id = :clusterId and v.assignment_epoch = r."assignmentEpoch"
     ), changed as (
       update vms v set state = r.state, state_since_ms = r."stateSinceMs",
         guest_ready = r."guestReady", 
         -- Why it was deleted is said here alone.
         reason = coalesce(r.reason, case when v.reason = 'PREEMPTED' then v.reason end),
         message = coalesce(r.message, case when v.reason = 'PREEMPTED' then v.message end),
         host_name = r."hostName", revision = r.revision, applied_generation = r.generation,
         -- It could not be suspended, or somebody has woken it: nothing else is to suspend it again.
         desired = case when v.desired = 'suspended' and r.state = 'running'
           and r.generation >= v.generation then 'running' else v.desired end,
         external_address = r."externalAddress", guest = r.guest,
         ${appliedColumns()},
         timeline = v.timeline || r.timeline || case
           when (v.timeline || r.timeline) ->> 'started' is not null
             and (v.timeline || r.timeline) ->> 'seen' is null
           then jsonb_build_object('seen', :nowMs::bigint) else '{}'::jsonb end
       from report r
       where v.id = r."vmId" and v.cluster_id = :clusterId and v.state <> 'deleted'
         and v.assignment_epoch = r."assignmentEpoch" and r.revision > v.revision
       returning v.batch_id, v.state
     )
     select (select count(*) from known) as known, count(*) as changed,
       array_agg(distinct batch_id) as batch_ids,
       array_agg(distinct batch_id) filter (where state = 'deleted') as emptied,
       (select jsonb_agg(jsonb_build_object('vmId', v.id, 'assignmentEpoch', r."assignmentEpoch",
          'generation', greatest(v.generation, r.generation)))
        from report r join vms v on v.id = r."vmId"
        where r.state <> 'deleted' and r."assignmentEpoch" < v.assignment_epoch) as former
     from changed`,
    { reports: JSON.stringify(news.vms), clusterId: news.clusterId, nowMs: news.nowMs },
  );
  const row = rows[0];
  return {
    changed: row?.changed ?? 0,
    foreign: news.vms.length - (row?.known ?? 0),
    batchIds: row?.batch_ids ?? [],
    emptied: row?.emptied ?? [],
    former: row?.former ?? [],
  };
}

/** See {@link farewell}. */
async function sayFarewell(
  trx: Knex.Transaction,
  wakes: WakeSet,
  { clusterId }: ExchangeNews,
  former: readonly FormerVm[],
): Promise<void> {
  const commands = farewell(former);
  if (commands.length === 0) return;
  await appendCommands(trx, clusterId, commands);
  wakes.add({ clusters: [clusterId] });
}

/** What a machine is by its last wish; one that is still open says what it is to be. */
function appliedColumns(): string {
  const isTold = 'r.applied is not null and r.generation >= v.generation';
  const columns = {
    vcpus: "(r.applied ->> 'vcpus')::int",
    memory_mib: "(r.applied ->> 'memoryMiB')::int",
    disk_gib: "(r.applied ->> 'diskGiB')::int",
    image: "r.applied -> 'image' ->> 'name'",
    image_version: "r.applied -> 'image' ->> 'version'",
    image_generation: "coalesce((r.applied -> 'image' ->> 'generation')::int, 0)",
    volumes: "coalesce(r.applied -> 'volumes', v.volumes)",
  };
  const told = Object.entries(columns).map(
    ([column, value]) => `${column} = case when ${isTold} then ${value} else v.${column} end`,
  );
  // What could not be taken from it is among what it has.
  const left =
    "leaving_volumes = case when r.generation >= v.generation then '[]' else v.leaving_volumes end";
  return [...told, left].join(', ');
}

async function takeProgress(trx: Knex.Transaction, news: ExchangeNews): Promise<void> {
  if (news.progress.length === 0) return;
  await trx.raw(
    `update operations o
     set progress = jsonb_build_object('stage', r.stage, 'percent', r.percent)
     from jsonb_to_recordset(:all::jsonb) as r("operationId" text, stage text, percent float)
     where o.id = r."operationId" and o.cluster_id = :clusterId and o.state = 'running'`,
    { all: JSON.stringify(news.progress), clusterId: news.clusterId },
  );
}

async function takeOperations(
  trx: Knex.Transaction,
  news: ExchangeNews,
): Promise<readonly OperationId[]> {
  if (news.operations.length === 0) return [];
  const { rows } = await trx.raw<{ rows: readonly { id: OperationId }[] }>(
    `update operations o set state = r.outcome, reason = r.reason, message = r.message,
       output = r.output, data = r.data, finished_at_ms = :nowMs
     from jsonb_to_recordset(:results::jsonb) as r(
       "operationId" text, outcome text, reason text, message text, output text, data jsonb)
     where o.id = r."operationId" and o.cluster_id = :clusterId and o.state = 'running'
     returning o.id`,
    { results: JSON.stringify(news.operations), clusterId: news.clusterId, nowMs: news.nowMs },
  );
  return rows.map((row) => row.id);
}

/** Wishes of operations on batches that these machines have followed, or can't any more. */
async function endWishes(
  trx: Knex.Transaction,
  news: ExchangeNews,
): Promise<readonly OperationId[]> {
  if (news.vms.length === 0) return [];
  const { rows } = await trx.raw<{ rows: readonly { id: OperationId }[] }>(
    `update operations o set finished_at_ms = :nowMs,
       state = case when v.state in ('failed', 'deleted') then 'failed' else 'succeeded' end,
       reason = case when v.state = 'failed' then v.reason end,
       message = case v.state when 'failed' then coalesce(v.message, '')
         when 'deleted' then 'It was deleted.' else '' end
     from vms v
     where o.vm_id = any(:vmIds) and o.state = 'running' and o.wish_generation is not null
       and v.id = o.vm_id and v.cluster_id = :clusterId
       and (v.applied_generation >= o.wish_generation or v.state = 'deleted')
     returning o.id`,
    {
      vmIds: news.vms.map((report) => report.vmId),
      clusterId: news.clusterId,
      nowMs: news.nowMs,
    },
  );
  return rows.map((row) => row.id);
}

async function takePlans(trx: Knex.Transaction, news: ExchangeNews): Promise<readonly BatchId[]> {
  if (news.plans.length === 0) return [];
  const { rows } = await trx.raw<{ rows: readonly { batch_id: BatchId }[] }>(
    `update batch_shares s set state = 'answered', plan = r.value
     from jsonb_array_elements(:plans::jsonb) as r(value)
     where s.batch_id = r.value ->> 'batchId' and s.cluster_id = :clusterId and s.state = 'open'
     returning s.batch_id`,
    { plans: JSON.stringify(news.plans), clusterId: news.clusterId },
  );
  return rows.map((row) => row.batch_id);
}

/**
 * Batches that were to be deleted and have no machine left are done. Apart from the ingestion: of
 * two clusters that report a batch's last machines at once, the later one must see the other's.
 */
async function closeEmptied(db: PostgresDatabase, batchIds: readonly BatchId[]): Promise<void> {
  await db.transaction(async (trx, wakes) => {
    const { rows } = await trx.raw<{ rows: readonly { id: BatchId }[] }>(
      `update batches b set state = 'deleted'
       where b.id = any(?) and b.state = 'deleting'
         and not exists (select 1 from vms v where v.batch_id = b.id and v.state <> 'deleted')
       returning b.id`,
      [[...batchIds]],
    );
    wakes.add({ batches: rows.map((row) => row.id) });
  });
}

import type { BatchId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { ExchangeNews } from '../../clusters/store.ts';
import type { StuckMachines } from '../../planning/store.ts';
import {
  givenBack,
  isGivenBack,
  WITHDRAW_FEATURE,
  withdrawCommands,
} from '../../planning/withdraw.ts';
import type { VmRecord } from '../../vms/store.ts';
import { appendCommands, type WakeSet } from './database.ts';
import { batchRows, type Row, vmRows } from './rows.ts';
import { leaveCluster, planAgain } from './take-back.ts';

/** See `PlanningStore.stuck`. */
export async function stuck(
  knex: Knex,
  beforeMs: number,
  limit: number,
): Promise<readonly StuckMachines[]> {
  const { rows } = await knex.raw<{ rows: readonly Row[] }>(
    `select v.*, to_jsonb(b) as batch
     from clusters k join vms v on v.cluster_id = k.id and v.state = 'scheduled'
     join batches b on b.id = v.batch_id
     where k.features @> :features::jsonb and v.assigned_seq <= k.acked_seq
       and v.revision > 0 and v.reason = 'NO_CAPACITY' and v.host_name is null
       and v.desired <> 'deleted' and v.state_since_ms < :beforeMs
     order by v.id limit :limit`,
    { features: JSON.stringify([WITHDRAW_FEATURE]), beforeMs, limit },
  );
  return [...Map.groupBy(rows, (row) => row.batch_id).values()].map((all) => ({
    batch: batchRows.fromRow(all[0]?.batch as Row),
    vms: all.map(vmRows.fromRow),
  }));
}

/** See `PlanningStore.askBack`. */
export async function askBack(
  trx: Knex.Transaction,
  wakes: WakeSet,
  vms: readonly VmRecord[],
): Promise<void> {
  const commands = [...withdrawCommands(vms)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [clusterId, list] of commands) await appendCommands(trx, clusterId, list);
  wakes.add({ clusters: commands.map(([id]) => id) });
}

/** Takes what a cluster has given back; gives the batches of these machines. */
export async function takeGivenBack(
  trx: Knex.Transaction,
  news: ExchangeNews,
): Promise<readonly BatchId[]> {
  const reports = news.vms.filter(isGivenBack);
  if (reports.length === 0) return [];
  const epochs = new Map(reports.map((report) => [String(report.vmId), report.assignmentEpoch]));
  const rows: readonly Row[] = await trx('vms')
    .whereIn('id', [...epochs.keys()])
    .andWhere('cluster_id', news.clusterId)
    .orderBy('id')
    .forUpdate()
    .select(...vmRows.columns);
  const back = rows
    .map(vmRows.fromRow)
    .filter((vm) => epochs.get(vm.id) === vm.assignmentEpoch)
    .flatMap((vm) => givenBack(vm, news.nowMs) ?? []);
  await leaveCluster(trx, back);
  const batchIds = [...new Set(back.map((vm) => vm.batchId))].sort();
  await planAgain(trx, batchIds);
  return batchIds;
}

import type { ClusterId, VmId } from '@factory/contracts';
import type { Knex } from 'knex';
import { wishCommands } from '../../planning/assignments.ts';
import type { Preemptible } from '../../planning/preempt.ts';
import { PREEMPTED } from '../../planning/store.ts';
import { appendCommands, type WakeSet } from './database.ts';
import { type Row, vmRows } from './rows.ts';

/** Machines that are looked at; with more, some are not seen before others have gone. */
const LOOKED_AT_MAX = 20_000;

/** See `PlanningStore.preemptible`. */
export async function preemptible(
  knex: Knex,
  clusterIds: readonly ClusterId[],
): Promise<readonly Preemptible[]> {
  const { rows } = await knex.raw<{ rows: readonly Preemptible[] }>(
    `select v.id, v.cluster_id as "clusterId", v.host_name as "hostName", v.vcpus,
       v.memory_mib as "memoryMiB", b.priority, v.created_at_ms as "createdAtMs",
       v.desired = 'deleted' as "isLeaving"
     from batches b join vms v on v.batch_id = b.id
     where b.preemptible and v.cluster_id = any(:clusterIds) and v.host_name is not null
       and v.state not in ('deleted', 'failed', 'unreachable')
     order by b.priority, v.created_at_ms desc, v.id limit :limit`,
    { clusterIds: [...clusterIds], limit: LOOKED_AT_MAX },
  );
  return rows;
}

/** See `PlanningStore.preempt`. Locks batches, machines, logs, in this order. */
export async function preempt(
  trx: Knex.Transaction,
  wakes: WakeSet,
  vmIds: readonly VmId[],
): Promise<number> {
  await trx.raw(
    `select 1 from batches where id in (select batch_id from vms where id = any(?))
     order by id for update`,
    [[...vmIds]],
  );
  const rows: readonly Row[] = await trx('vms')
    .whereIn('id', [...vmIds])
    .whereIn('batch_id', trx('batches').where('preemptible', true).select('id'))
    .whereNot('desired', 'deleted')
    .whereNotNull('cluster_id')
    .whereNot('state', 'deleted')
    .orderBy('id')
    .forUpdate()
    .select(...vmRows.columns);
  const vms = rows.map(vmRows.fromRow).map((vm) => ({
    ...vm,
    ...{ desired: 'deleted' as const, generation: vm.generation + 1, ...PREEMPTED },
  }));
  if (vms.length === 0) return 0;
  await trx('vms')
    .whereIn(
      'id',
      vms.map((vm) => vm.id),
    )
    .update({ desired: 'deleted', generation: trx.raw('generation + 1'), ...PREEMPTED });
  const batches = Map.groupBy(vms, (vm) => vm.batchId);
  for (const [batchId, all] of batches) {
    await trx('batches').where('id', batchId).increment('preempted', all.length);
  }
  const commands = [...wishCommands(vms)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [clusterId, list] of commands) await appendCommands(trx, clusterId, list);
  wakes.add({ clusters: commands.map(([id]) => id), batches: [...batches.keys()] });
  return vms.length;
}

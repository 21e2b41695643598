import type { BatchId, ClusterId, Refusal } from '@factory/contracts';
import type { Knex } from 'knex';
import { decideRefusal, failedByRefusal, refusedVm } from '../../clusters/refusals.ts';
import type { ExchangeNews } from '../../clusters/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import { assignAgain } from './assign-again.ts';
import { type Row, vmRows } from './rows.ts';
import { leaveCluster, planAgain } from './take-back.ts';

/** Takes what a cluster refused. */
export async function takeRefusals(
  trx: Knex.Transaction,
  news: ExchangeNews,
): Promise<{
  /** Batches with machines that changed. */
  readonly batchIds: readonly BatchId[];
  /** Batches of which a machine is gone. */
  readonly emptied: readonly BatchId[];
  /** Batches with machines that another cluster is to have. */
  readonly toPlan: readonly BatchId[];
  /** Those with new commands. */
  readonly clusters: readonly ClusterId[];
}> {
  const { clusterId, refusals, nowMs } = news;
  if (refusals.length === 0) return { batchIds: [], emptied: [], toPlan: [], clusters: [] };
  const decided = await decide(trx, clusterId, refusals);
  const again = decided.filter(({ outcome }) => outcome === 'giveAgain').map(({ vm }) => vm.id);
  if (again.length > 0) await assignAgain(trx, clusterId, again);
  const gone = decided.filter(({ outcome }) => outcome === 'gone').map(({ vm }) => vm);
  await trx('vms')
    .whereIn(
      'id',
      gone.map((vm) => vm.id),
    )
    .update({ state: 'deleted', state_since_ms: nowMs, reason: null, message: null });
  const failed = decided.filter(({ outcome }) => outcome === 'fail');
  for (const { vm, refusal } of failed) {
    const { state, stateSinceMs, guestReady, reason, message } = failedByRefusal(refusal, nowMs);
    await trx('vms')
      .where('id', vm.id)
      .update({ state, state_since_ms: stateSinceMs, guest_ready: guestReady, reason, message });
  }
  const elsewhere = decided
    .filter(({ outcome }) => outcome === 'elsewhere')
    .map(({ vm, refusal }) => refusedVm(vm, `refused it: ${refusal.message}`, nowMs));
  await leaveCluster(trx, elsewhere);
  const toPlan = [...new Set(elsewhere.map((vm) => vm.batchId))].sort();
  await planAgain(trx, toPlan);
  const changed = [...gone, ...elsewhere, ...failed.map(({ vm }) => vm)];
  return {
    toPlan,
    batchIds: [...new Set(changed.map((vm) => vm.batchId))],
    emptied: [...new Set(gone.map((vm) => vm.batchId))],
    clusters: again.length > 0 ? [clusterId] : [],
  };
}

async function decide(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  refusals: readonly Refusal[],
): Promise<
  readonly {
    readonly vm: VmRecord;
    readonly refusal: Refusal;
    readonly outcome: ReturnType<typeof decideRefusal>;
  }[]
> {
  const byVm = new Map(refusals.map((refusal) => [String(refusal.vmId), refusal]));
  const others: readonly ClusterId[] = await trx('clusters')
    .whereNot('id', clusterId)
    .andWhere('state', 'active')
    .pluck('id');
  const rows: readonly Row[] = await trx('vms')
    .whereIn('id', [...byVm.keys()])
    .andWhere('cluster_id', clusterId)
    .orderBy('id')
    .forUpdate();
  return rows.flatMap((row) => {
    const vm = vmRows.fromRow(row);
    const refusal = byVm.get(vm.id);
    return refusal === undefined
      ? []
      : [{ vm, refusal, outcome: decideRefusal(vm, refusal, others) }];
  });
}

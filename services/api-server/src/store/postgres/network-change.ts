import type { BatchId, SubnetId } from '@factory/contracts';
import type { Knex } from 'knex';
import { cardsOf } from '../../subnets/cards.ts';
import { isToldAtOnce, networkCommands, wishedAgain } from '../../subnets/network-change.ts';
import { appendCommands, type WakeSet } from './database.ts';
import { batchRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';

/** Machines that are read at once: their batches may have much user-data. */
const PAGE = 200;

/** Tells the hosts of all machines of a subnet, or of a batch, how their networks are now. */
export async function tellOfNetworks(
  trx: Knex.Transaction,
  wakes: WakeSet,
  of: { readonly subnetId: SubnetId } | { readonly batchId: BatchId },
): Promise<void> {
  const [condition, id] =
    'subnetId' in of
      ? ['v.id in (select vm_id from subnet_addresses where subnet_id = :id)', of.subnetId]
      : ['v.batch_id = :id', of.batchId];
  for (let after = ''; ; ) {
    const { rows } = await trx.raw<{ rows: readonly Row[] }>(
      `select v.*, to_jsonb(b) as batch from vms v join batches b on b.id = v.batch_id
       where ${condition} and v.id > :after and v.cluster_id is not null and v.state <> 'deleted'
       order by v.id limit ${PAGE} for update of v`,
      { id, after },
    );
    await tell(trx, wakes, rows);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = String(last.id);
  }
}

async function tell(trx: Knex.Transaction, wakes: WakeSet, rows: readonly Row[]): Promise<void> {
  for (const [, ofBatch] of Map.groupBy(rows, (row) => row.batch_id)) {
    const batch = batchRows.fromRow(ofBatch[0]?.batch as Row);
    const vms = ofBatch.map(vmRows.fromRow).filter(isToldAtOnce).map(wishedAgain);
    const ids = vms.map((vm) => vm.id);
    await trx('vms').whereIn('id', ids).increment('generation');
    const cards = vms.flatMap(cardsOf);
    const subnets = await subnetsById(
      trx,
      cards.map((card) => card.subnetId),
    );
    for (const [clusterId, command] of networkCommands(vms, batch, subnets)) {
      await appendCommands(trx, clusterId, [command]);
      wakes.add({ clusters: [clusterId] });
    }
    if (ids.length > 0) wakes.add({ batches: [batch.id] });
  }
}

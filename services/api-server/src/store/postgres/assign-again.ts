import type { ClusterId, LinkCommand, VmId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { BatchRecord } from '../../batches/store.ts';
import { assignmentAgain, chunk, vmsPerCommand } from '../../planning/assignments.ts';
import { cardsOf } from '../../subnets/cards.ts';
import { appendCommands } from './database.ts';
import { batchRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';

/** Gives a cluster machines that it should have; all that are not deleted unless `vmIds` says. */
export async function assignAgain(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  vmIds?: readonly VmId[],
): Promise<void> {
  const { rows } = await trx.raw<{ rows: readonly Row[] }>(
    `select v.*, to_jsonb(b) as batch from vms v join batches b on b.id = v.batch_id
     where v.cluster_id = :clusterId and v.state <> 'deleted'
       and (:all or v.id = any(:vmIds)) order by v.id for update of v`,
    { clusterId, all: vmIds === undefined, vmIds: [...(vmIds ?? [])] },
  );
  for (const [batchId, ofBatch] of Map.groupBy(rows, (row) => row.batch_id)) {
    const batch = batchRows.fromRow(ofBatch[0]?.batch as Row);
    await assign(trx, clusterId, batch, ofBatch);
    if (batch.id !== batchId) throw new Error('machines are grouped by their batch');
  }
}

async function assign(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  batch: BatchRecord,
  rows: readonly Row[],
): Promise<void> {
  const machines = rows.map(vmRows.fromRow);
  const ofCards = machines.flatMap((vm) => cardsOf(vm).map((card) => card.subnetId));
  const subnets = await subnetsById(trx, ofCards);
  for (const piece of chunk(machines, vmsPerCommand(batch, subnets))) {
    const vms = piece.map((vm) => assignmentAgain(vm, batch, subnets));
    const command: LinkCommand = { kind: 'assignVms', vms };
    const seq = await appendCommands(trx, clusterId, [command]);
    const ids = piece.map((vm) => vm.id);
    await trx('vms').whereIn('id', ids).update({ assigned_seq: seq });
  }
}

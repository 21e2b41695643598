import type { LinkCommand } from '@factory/contracts';
import type { OrphanStore } from '../../orphans/store.ts';
import { assignmentOf } from '../../planning/assignments.ts';
import { cardsOf } from '../../subnets/cards.ts';
import { appendCommands, type PostgresDatabase } from './database.ts';
import { batchRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';

/** See {@link OrphanStore}. */
export function createPostgresOrphans(db: PostgresDatabase): OrphanStore {
  return {
    give: (projectId, { vmId, clusterId, hostName }, decide) =>
      db.transaction(async (trx, wakes) => {
        const { rows } = await trx.raw<{ rows: readonly Row[] }>(
          `select v.*, to_jsonb(b) as batch from vms v join batches b on b.id = v.batch_id
           where v.id = ? and v.project_id = ? for update of v`,
          [vmId, projectId],
        );
        const [row] = rows;
        if (row === undefined) return { kind: 'notFound' };
        const vm = vmRows.fromRow(row);
        const decision = decide(vm);
        if (decision.kind === 'refused') return decision;
        const given = { ...vm, assignmentEpoch: vm.assignmentEpoch + 1 };
        const subnets = await subnetsById(
          trx,
          cardsOf(vm).map((card) => card.subnetId),
        );
        const assignment = assignmentOf(given, batchRows.fromRow(row.batch as Row), subnets);
        const vms = [{ ...assignment, lastHost: hostName }];
        const command: LinkCommand = { kind: 'assignVms', vms };
        const seq = await appendCommands(trx, clusterId, [command]);
        await trx('vms')
          .where('id', vmId)
          .update({ assignment_epoch: given.assignmentEpoch, assigned_seq: seq });
        wakes.add({ clusters: [clusterId] });
        return decision;
      }),
  };
}

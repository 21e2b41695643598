import type { OperationState } from '@factory/contracts';
import type { Knex } from 'knex';
import { type BatchPart, commandsOf } from '../../operations/batch-plan.ts';
import type {
  BatchOperationRecord,
  BatchOperationView,
  OperationStore,
  StartOnBatchResult,
} from '../../operations/store.ts';
import { specOf } from '../../planning/assignments.ts';
import { cardsOf } from '../../subnets/cards.ts';
import { appendCommands, type PostgresDatabase } from './database.ts';
import { batchRows, operationRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';

type OnBatches = Pick<OperationStore, 'startOnBatch' | 'findOnBatch' | 'results'>;

/** See {@link OperationStore}; a handful of statements, however many machines there are. */
export function createPostgresBatchOperations(db: PostgresDatabase): OnBatches {
  return {
    startOnBatch: (operation, plan) =>
      db.transaction(async (trx, wakes): Promise<StartOnBatchResult> => {
        const { batchId, projectId } = operation;
        const batch: Row | undefined = await trx('batches')
          .where({ id: batchId, project_id: projectId })
          .forUpdate()
          .first();
        if (batch === undefined) return { kind: 'notFound' };
        const known = await keepOrFind(trx, operation);
        if (known !== undefined) return known;
        const rows: readonly Row[] = await trx('vms')
          .where('batch_id', batchId)
          .andWhereNot('state', 'deleted')
          .orderBy('id')
          .forUpdate()
          .select(...vmRows.columns);
        const parts = plan(rows.map(vmRows.fromRow));
        const needsPlanning = await keepWishes(trx, parts, batchId);
        await keepParts(trx, parts);
        const commands = await tellClusters(trx, parts, batch);
        wakes.add({ clusters: commands, batches: [batchId] });
        return { kind: 'started', view: await viewOf(trx, operation), needsPlanning };
      }),
    findOnBatch: async (projectId, id) => {
      const row: Row | undefined = await db
        .knex('batch_operations')
        .where({ id, project_id: projectId })
        .first();
      return row && viewOf(db.knex, recordOf(row));
    },
    results: async ({ projectId, id, state, after, limit }) => {
      const select = db.knex('operations').where({ parent_id: id, project_id: projectId });
      if (state !== undefined) select.andWhere('state', state);
      if (after !== undefined) select.andWhere('id', '>', after);
      const rows: readonly Row[] = await select.orderBy('id').limit(limit);
      return rows.map(operationRows.fromRow);
    },
  };
}

/** What its key was used for before; undefined when it is new. */
async function keepOrFind(
  trx: Knex.Transaction,
  operation: BatchOperationRecord,
): Promise<StartOnBatchResult | undefined> {
  const { id, projectId, batchId, kind, createdAtMs, idempotencyKey, requestHash } = operation;
  const kept = await trx('batch_operations')
    .insert({
      ...{ id, kind, project_id: projectId, batch_id: batchId, created_at_ms: createdAtMs },
      ...{ idempotency_key: idempotencyKey, request_hash: requestHash },
    })
    .onConflict(['project_id', 'idempotency_key'])
    .ignore()
    .returning('id');
  if (kept.length > 0) return undefined;
  const row: Row = await trx('batch_operations')
    .where({ project_id: projectId, idempotency_key: idempotencyKey })
    .first();
  if (row.request_hash !== requestHash) return { kind: 'keyReused' };
  return { kind: 'started', view: await viewOf(trx, recordOf(row)), needsPlanning: false };
}

/** Gives whether a machine is without a cluster again. */
async function keepWishes(
  trx: Knex.Transaction,
  parts: readonly BatchPart[],
  batchId: string,
): Promise<boolean> {
  const wished = parts.flatMap((part) => (part.wished === undefined ? [] : [part.wished.vm]));
  if (wished.length === 0) return false;
  await trx.raw(
    `update vms v set desired = r.desired, generation = r.generation, state = r.state,
       state_since_ms = r."stateSinceMs", reason = r.reason, message = r.message
     from jsonb_to_recordset(:wished::jsonb) as r(id text, desired text, generation int,
       state text, "stateSinceMs" double precision, reason text, message text)
     where v.id = r.id`,
    { wished: JSON.stringify(wished) },
  );
  const isWaiting = wished.some((vm) => vm.clusterId === null && vm.state === 'pending');
  if (isWaiting) {
    await trx('batches').where('id', batchId).update({ state: 'planning', needs_planning: true });
  }
  return isWaiting;
}

async function keepParts(trx: Knex.Transaction, parts: readonly BatchPart[]): Promise<void> {
  if (parts.length === 0) return;
  const columns = operationRows.columns.join(', ');
  const rows = parts.map(({ operation }) => operationRows.toRow(operation));
  await trx.raw(
    `insert into operations (${columns})
     select ${columns} from jsonb_populate_recordset(null::operations, :rows::jsonb)`,
    { rows: JSON.stringify(rows) },
  );
}

/** Gives the clusters that were told something. */
async function tellClusters(trx: Knex.Transaction, parts: readonly BatchPart[], batch: Row) {
  const renewed = parts.flatMap(({ wished }) => (wished?.hasNewSpec === true ? [wished.vm] : []));
  const subnetIds = renewed.flatMap((vm) => cardsOf(vm).map((card) => card.subnetId));
  const subnets = await subnetsById(trx, [...new Set(subnetIds)]);
  const template = batchRows.fromRow(batch);
  const commands = commandsOf(parts, (vm) => specOf(vm, template, subnets));
  // In order: two transactions that take the same rows otherwise wait for each other.
  const clusterIds = [...commands.keys()].sort();
  for (const id of clusterIds) await appendCommands(trx, id, commands.get(id) ?? []);
  return clusterIds;
}

function recordOf(row: Row): BatchOperationRecord {
  // The database is typed by its migrations.
  return {
    ...{ id: row.id, projectId: row.project_id, batchId: row.batch_id, kind: row.kind },
    ...{ createdAtMs: row.created_at_ms, requestHash: row.request_hash },
    idempotencyKey: row.idempotency_key,
  } as BatchOperationRecord;
}

async function viewOf(knex: Knex, operation: BatchOperationRecord): Promise<BatchOperationView> {
  const { id, batchId, kind, createdAtMs } = operation;
  const rows: readonly { state: OperationState; count: number }[] = await knex('operations')
    .where('parent_id', id)
    .groupBy('state')
    .select('state', knex.raw('count(*)::int as count'));
  const counts = { running: 0, succeeded: 0, failed: 0 };
  for (const { state, count } of rows) counts[state] = count;
  return { id, batchId, kind, createdAtMs, counts };
}

import {
  BATCH_LIMITS,
  type BatchId,
  type OperationState,
  type ProjectId,
  type VmId,
  type VmSelection,
} from '@factory/contracts';
import type { Knex } from 'knex';
import type { BatchRecord } from '../../batches/store.ts';
import { type BatchPart, commandsOf } from '../../operations/batch-plan.ts';
import type {
  BatchOperationRecord,
  BatchOperationView,
  OperationStore,
  StartOnBatchResult,
} from '../../operations/store.ts';
import { specOf } from '../../planning/assignments.ts';
import { cardsOf } from '../../subnets/cards.ts';
import { appendCommands, type PostgresDatabase, RolledBack, type WakeSet } from './database.ts';
import { batchRows, operationRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';

type OnBatches = Pick<OperationStore, 'startOnBatch' | 'startOnMany' | 'findOnBatch' | 'results'>;

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
        if (batch === undefined || batchId === null) return { kind: 'notFound' };
        const known = await keepOrFind(trx, operation);
        if (known !== undefined) return known;
        const rows: readonly Row[] = await trx('vms')
          .where('batch_id', batchId)
          .andWhereNot('state', 'deleted')
          .orderBy('id')
          .forUpdate()
          .select(...vmRows.columns);
        const parts = plan(rows.map(vmRows.fromRow));
        const needsPlanning = await begin(trx, wakes, parts, [batch]);
        return { kind: 'started', view: await viewOf(trx, operation), needsPlanning };
      }),
    startOnMany: (operation, selection, plan) =>
      db
        .transaction((trx, wakes) => startOnMany(trx, wakes, operation, selection, plan))
        .catch((error: unknown) => {
          if (error instanceof RolledBack) return error.result;
          throw error;
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

async function startOnMany(
  trx: Knex.Transaction,
  wakes: WakeSet,
  operation: BatchOperationRecord,
  selection: VmSelection,
  plan: Parameters<OperationStore['startOnMany']>[2],
): Promise<StartOnBatchResult | { readonly kind: 'tooMany' }> {
  const chosen = await select(trx, operation.projectId, selection);
  if (chosen.length > BATCH_LIMITS.countMax) return { kind: 'tooMany' };
  const known = await keepOrFind(trx, operation);
  if (known !== undefined) return known;
  if (selection.ids !== undefined && chosen.length < selection.ids.length) {
    throw new RolledBack({ kind: 'notFound' } as const);
  }
  // Batches first, in order, as everywhere.
  const batches: readonly Row[] = await trx('batches')
    .whereIn('id', [...new Set(chosen.map((row) => row.batch_id))])
    .orderBy('id')
    .forUpdate();
  const rows: readonly Row[] = await trx('vms')
    .whereRaw('id = any(?)', [chosen.map((row) => row.id)])
    .andWhereNot('state', 'deleted')
    .orderBy('id')
    .forUpdate()
    .select(...vmRows.columns);
  const parts = plan(rows.map(vmRows.fromRow));
  const needsPlanning = await begin(trx, wakes, parts, batches);
  return { kind: 'started', view: await viewOf(trx, operation), needsPlanning };
}

/** At most one more than there may be. */
async function select(
  trx: Knex.Transaction,
  projectId: ProjectId,
  { ids, filter = {} }: VmSelection,
): Promise<readonly { readonly id: VmId; readonly batch_id: BatchId }[]> {
  const found = trx('vms as v')
    .where('v.project_id', projectId)
    .andWhereNot('v.state', 'deleted')
    .orderBy('v.id')
    .limit(BATCH_LIMITS.countMax + 1)
    .select('v.id', 'v.batch_id');
  if (ids !== undefined) found.andWhereRaw('v.id = any(?)', [[...ids]]);
  if (filter.batchId !== undefined) found.andWhere('v.batch_id', filter.batchId);
  if (filter.state !== undefined) found.andWhere('v.state', filter.state);
  if (filter.labels !== undefined) {
    const labels = JSON.stringify(filter.labels);
    found.join('batches as b', 'b.id', 'v.batch_id').andWhereRaw('b.labels @> ?::jsonb', [labels]);
  }
  return found;
}

/** Keeps what is begun with machines of these batches; gives whether some are to be planned again. */
async function begin(
  trx: Knex.Transaction,
  wakes: WakeSet,
  parts: readonly BatchPart[],
  batches: readonly Row[],
): Promise<boolean> {
  const needsPlanning = await keepWishes(trx, parts);
  await keepParts(trx, parts);
  const records = batches.map(batchRows.fromRow);
  const clusters = await tellClusters(trx, parts, records);
  wakes.add({ clusters, batches: records.map(({ id }) => id) });
  return needsPlanning;
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
async function keepWishes(trx: Knex.Transaction, parts: readonly BatchPart[]): Promise<boolean> {
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
  const waiting = wished.filter((vm) => vm.clusterId === null && vm.state === 'pending');
  if (waiting.length === 0) return false;
  await trx('batches')
    .whereIn('id', [...new Set(waiting.map((vm) => vm.batchId))])
    .update({ state: 'planning', needs_planning: true });
  return true;
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
async function tellClusters(
  trx: Knex.Transaction,
  parts: readonly BatchPart[],
  batches: readonly BatchRecord[],
) {
  const renewed = parts.flatMap(({ wished }) => (wished?.hasNewSpec === true ? [wished.vm] : []));
  const subnetIds = renewed.flatMap((vm) => cardsOf(vm).map((card) => card.subnetId));
  const subnets = await subnetsById(trx, [...new Set(subnetIds)]);
  const templates = new Map(batches.map((batch) => [batch.id, batch]));
  const commands = commandsOf(parts, (vm) => {
    const template = templates.get(vm.batchId);
    if (template === undefined) throw new Error(`${vm.id} is of no batch that is locked`);
    return specOf(vm, template, subnets);
  });
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

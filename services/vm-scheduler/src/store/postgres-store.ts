import type { Knex } from 'knex';
import { type VmRecord, vmIdOf } from '../vm-record.ts';
import type { OperationRecord, SchedulerStore } from './store.ts';

/** The scheduler's state in the cluster's PostgreSQL: a JSON document a VM, written in bulk. */
export function createPostgresStore(knex: Knex): SchedulerStore {
  return {
    async load() {
      const [framework, vms, operations] = await Promise.all([
        knex('scheduler_framework').first('framework_id'),
        knex('scheduler_vms').select('record').orderBy('revision'),
        knex('scheduler_operations').select('record').orderBy('revision'),
      ]);
      return {
        frameworkId: framework?.framework_id ?? undefined,
        vms: vms.map((row: { record: VmRecord }) => row.record),
        operations: operations.map((row: { record: OperationRecord }) => row.record),
      };
    },

    async saveFrameworkId(frameworkId) {
      await knex('scheduler_framework')
        .insert({ singleton: true, framework_id: frameworkId ?? null })
        .onConflict('singleton')
        .merge();
    },

    async save({ vms, operations, removedVmIds, removedOperationIds }) {
      await knex.transaction(async (trx) => {
        await upsert(
          trx,
          'scheduler_vms',
          'vm_id',
          vms.map((vm) => row(vmIdOf(vm), vm)),
        );
        const operationRows = operations.map((each) => row(each.request.operationId, each));
        await upsert(trx, 'scheduler_operations', 'operation_id', operationRows);
        if (removedVmIds.length > 0) {
          await trx('scheduler_vms').whereIn('vm_id', removedVmIds).delete();
        }
        if (removedOperationIds.length > 0) {
          await trx('scheduler_operations').whereIn('operation_id', removedOperationIds).delete();
        }
      });
    },
  };
}

interface Row {
  readonly id: string;
  readonly revision: number;
  readonly record: VmRecord | OperationRecord;
}

function row(id: string, record: VmRecord | OperationRecord): Row {
  return { id, revision: record.revision, record };
}

/** One statement for any number of rows: they travel as one JSON parameter. */
async function upsert(
  trx: Knex.Transaction,
  table: string,
  key: string,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  await trx.raw(
    `insert into ?? (??, revision, record)
     select id, revision, record
     from jsonb_to_recordset(?::jsonb) as r(id text, revision bigint, record jsonb)
     on conflict (??) do update set revision = excluded.revision, record = excluded.record`,
    [table, key, JSON.stringify(rows, storable), key],
  );
}

/** PostgreSQL's JSON holds no NUL and no half of a surrogate pair; a serial console prints both. */
function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '').toWellFormed() : value;
}

import type { Knex } from 'knex';
import {
  AUDITED_VM,
  type AuditedBatch,
  type AuditedCluster,
  type InvariantSnapshot,
  type InvariantStore,
  type QueuedAssignment,
} from '../../invariants/store.ts';
import type { PostgresDatabase } from './database.ts';
import { type Row, vmRows } from './rows.ts';

/** See {@link InvariantStore}. */
export function createPostgresInvariants({ knex }: PostgresDatabase): InvariantStore {
  return {
    snapshot: (nowMs) =>
      knex.transaction((trx) => read(trx, nowMs), {
        isolationLevel: 'repeatable read',
        readOnly: true,
      }),
  };
}

async function read(trx: Knex.Transaction, nowMs: number): Promise<InvariantSnapshot> {
  const vms: readonly Row[] = await trx('vms')
    .whereNot('state', 'deleted')
    .select(...vmRows.columnsOf(AUDITED_VM));
  const heldAddresses: InvariantSnapshot['heldAddresses'] = await trx('subnet_addresses')
    .whereNotNull('vm_id')
    .select({ subnetId: 'subnet_id', offset: 'address_offset', vmId: 'vm_id' });
  const shares: InvariantSnapshot['shares'] = await trx('batch_shares').select({
    ...{ batchId: 'batch_id', clusterId: 'cluster_id', state: 'state' },
    changedAtMs: 'changed_at_ms',
  });
  const operations: InvariantSnapshot['operations'] = await trx('operations')
    .where('state', 'running')
    .select({ id: 'id', deadlineAtMs: 'deadline_at_ms' });
  return {
    ...{ nowMs, vms: vms.map(vmRows.fromRow), heldAddresses, shares, operations },
    batches: await readBatches(trx),
    clusters: await readClusters(trx),
    assignments: await readAssignments(trx),
  };
}

async function readBatches(trx: Knex.Transaction): Promise<readonly AuditedBatch[]> {
  const { rows } = await trx.raw<{ rows: readonly AuditedBatch[] }>(
    `select b.id, b.name, b.state, b.size, b.needs_planning as "needsPlanning",
       coalesce(v.count, 0) as "vmCount"
     from batches b
       left join (select batch_id, count(*) from vms group by batch_id) v on v.batch_id = b.id
     where b.state <> 'deleted'`,
  );
  return rows;
}

async function readClusters(trx: Knex.Transaction): Promise<readonly AuditedCluster[]> {
  const { rows } = await trx.raw<{ rows: readonly AuditedCluster[] }>(
    `select c.id, c.name, c.last_seen_at_ms as "lastSeenAtMs", c.acked_seq as "ackedSeq",
       l.last_seq as "lastSeq",
       case when q.count is null then null
         else jsonb_build_object('count', q.count, 'first', q.first, 'last', q.last) end as queued
     from clusters c
       join command_logs l on l.cluster_id = c.id
       left join (select cluster_id, count(*), min(seq) as first, max(seq) as last
                  from commands group by cluster_id) q on q.cluster_id = c.id`,
  );
  return rows;
}

async function readAssignments(trx: Knex.Transaction): Promise<readonly QueuedAssignment[]> {
  const { rows } = await trx.raw<{ rows: readonly QueuedAssignment[] }>(
    `select c.cluster_id as "clusterId", c.seq, v ->> 'vmId' as "vmId",
       (v ->> 'assignmentEpoch')::int as "assignmentEpoch"
     from commands c, jsonb_array_elements(c.command -> 'vms') v
     where c.command ->> 'kind' = 'assignVms' and v ->> 'desired' <> 'deleted'`,
  );
  return rows;
}

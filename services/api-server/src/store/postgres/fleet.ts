import type { Capacity, ClusterGiven, ClusterId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { FleetChange, FleetCluster, FleetStore } from '../../clusters/fleet-store.ts';
import { wishCommands } from '../../planning/assignments.ts';
import { appendCommands, type PostgresDatabase, type WakeSet } from './database.ts';
import { createPostgresTokens } from './enrolment-tokens.ts';
import { fleetRows, type Row, vmRows } from './rows.ts';

/** See {@link FleetStore}. */
export function createPostgresFleet(db: PostgresDatabase): FleetStore {
  const { knex } = db;
  return {
    ...createPostgresTokens(db),
    silence: async (heardAfterMs) => {
      const rows: readonly { id: ClusterId; sinceMs: number }[] = await knex('clusters')
        .where('last_seen_at_ms', '<', heardAfterMs)
        .select({ id: 'id', sinceMs: 'last_seen_at_ms' });
      return new Map(rows.map(({ id, sinceMs }) => [id, sinceMs]));
    },
    list: async () => {
      const rows: readonly Row[] = await knex('clusters')
        .select(...fleetRows.columns)
        .orderBy('name');
      return rows.map(fleetRows.fromRow);
    },
    given: async () => {
      const { rows } = await knex.raw<{ rows: readonly (ClusterGiven & { id: ClusterId })[] }>(
        `select cluster_id as id, count(*)::int as vms, sum(vcpus)::int as vcpus,
           sum(memory_mib)::bigint as "memoryMiB"
         from vms where cluster_id is not null and state <> 'deleted' group by cluster_id`,
      );
      return new Map(rows.map(({ id, ...given }) => [id, given]));
    },
    capacityOf: async (id): Promise<Capacity | null> => {
      const row = await knex('clusters').where({ id }).first('capacity');
      return row?.capacity ?? null;
    },
    change: (name, decide) => db.transaction((trx, wakes) => change(trx, wakes, name, decide)),
    endedNotices: async (nowMs) => {
      const rows: readonly Row[] = await knex('clusters')
        .whereIn('state', ['draining', 'withdrawn'])
        .andWhere('notice_until_ms', '<=', nowMs)
        .select(...fleetRows.columns);
      return rows.map(fleetRows.fromRow);
    },
    release: (id) => db.transaction((trx, wakes) => release(trx, wakes, id)),
    saveConformance: async (id, { atMs, passed, checks }) => {
      await knex('conformance_reports')
        .insert({ cluster_id: id, at_ms: atMs, passed, checks: JSON.stringify(checks) })
        .onConflict('cluster_id')
        .merge();
    },
    conformanceOf: async (id) => {
      const row = await knex('conformance_reports').where('cluster_id', id).first();
      return row && { atMs: row.at_ms, passed: row.passed, checks: row.checks };
    },
    offerKey: (id, publicKey, nonce, nowMs) =>
      db.transaction(async (trx) => {
        const kept = await trx('link_nonces')
          .insert({ cluster_id: id, nonce, seen_at_ms: nowMs })
          .onConflict(['cluster_id', 'nonce'])
          .ignore()
          .returning('nonce');
        if (kept.length === 0) return false;
        await trx('clusters').where({ id }).update({ next_public_key: publicKey });
        return true;
      }),
    takeKey: async (id, publicKey) => {
      await knex('clusters')
        .where({ id, next_public_key: publicKey })
        .update({ public_key: publicKey, next_public_key: null });
    },
  };
}

async function change(
  trx: Knex.Transaction,
  wakes: WakeSet,
  name: string,
  decide: (cluster: FleetCluster) => FleetChange,
): Promise<FleetCluster | undefined> {
  const row: Row | undefined = await trx('clusters').where({ name }).forUpdate().first();
  if (row === undefined) return undefined;
  const cluster = fleetRows.fromRow(row);
  const changes = decide(cluster);
  const { caps, region, attributes } = changes;
  const isRevoked = changes.state === 'revoked' && cluster.state !== 'revoked';
  await trx('clusters')
    .where({ name })
    .update({
      ...fleetRows.toPartialRow(changes),
      ...(caps === undefined ? {} : { caps: JSON.stringify(caps) }),
      ...(region === undefined ? {} : { given_region: region }),
      ...(attributes === undefined
        ? {}
        : { attributes: JSON.stringify(attributes), given_attributes: JSON.stringify(attributes) }),
      // Whoever still waits for commands is told that its session is over.
      epoch: cluster.epoch + (isRevoked ? 1 : 0),
    });
  wakes.add({ clusters: [cluster.id] });
  return { ...cluster, ...changes };
}

/** In the order of locks: the batches, their machines, the log. */
async function release(trx: Knex.Transaction, wakes: WakeSet, id: ClusterId): Promise<number> {
  const left = `cluster_id = :id and (desired <> 'deleted' or state = 'failed')
    and exists (select 1 from clusters where id = :id and state = 'withdrawn')`;
  await trx.raw(
    `select 1 from batches where id in (
       select batch_id from vms where ${left} and state <> 'deleted') order by id for update`,
    { id },
  );
  const { rows } = await trx.raw<{ rows: readonly Row[] }>(
    `update vms set desired = 'deleted', generation = generation + 1
     where ${left} and state <> 'deleted'
     returning id, batch_id, cluster_id, generation, desired`,
    { id },
  );
  const vms = rows.map(vmRows.fromRow);
  const commands = wishCommands(vms).get(id) ?? [];
  if (commands.length === 0) return 0;
  await appendCommands(trx, id, commands);
  wakes.add({ clusters: [id], batches: vms.map((vm) => vm.batchId) });
  return vms.length;
}

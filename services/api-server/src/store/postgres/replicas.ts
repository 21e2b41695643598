import type { ClusterId } from '@factory/contracts';
import type { ImageDemand, ReplicaRecord, ReplicaStore } from '../../images/replica-store.ts';
import type { PostgresDatabase } from './database.ts';

/** See {@link ReplicaStore}. */
export function createPostgresReplicas({ knex }: PostgresDatabase): ReplicaStore {
  return {
    put: async (wanted, nowMs) => {
      if (wanted.length === 0) return;
      await knex.raw(
        `insert into image_replicas (cluster_id, image_id, wanted_by, until_ms, created_at_ms)
         select r."clusterId", r."imageId", r."wantedBy", r."untilMs", :nowMs
         from jsonb_to_recordset(:wanted::jsonb) as r(
           "clusterId" text, "imageId" text, "wantedBy" text, "untilMs" bigint)
           join image_versions v on v.id = r."imageId"
         on conflict (cluster_id, image_id) do update
           set wanted_by = excluded.wanted_by, until_ms = excluded.until_ms
           where image_replicas.until_ms is not null`,
        { wanted: JSON.stringify(wanted), nowMs },
      );
    },
    list: async (nowMs, clusterId) => {
      const query = knex('image_replicas').where((each) =>
        each.whereNull('until_ms').orWhere('until_ms', '>=', nowMs),
      );
      if (clusterId !== undefined) query.where('cluster_id', clusterId);
      const found: readonly ReplicaRecord[] = await query.select({
        ...{ clusterId: 'cluster_id', imageId: 'image_id', wantedBy: 'wanted_by' },
        untilMs: 'until_ms',
      });
      return found;
    },
    remove: async (imageId, clusterIds) => {
      await knex('image_replicas')
        .where('image_id', imageId)
        .whereIn('cluster_id', [...clusterIds])
        .delete();
    },
    demands: async () => {
      const { rows } = await knex.raw<{ rows: readonly ImageDemand[] }>(
        `select v.id as "imageId", v.folder, v.version,
           sum(coalesce((b.size ->> 'totalVcpus')::int,
             (b.size ->> 'count')::int * (b.size -> 'shape' ->> 'vcpus')::int))::int as vcpus
         from batches b
           join image_versions v on v.folder = b.image and v.version = b.image_version
         where b.needs_planning and v.state = 'ready' and v.visibility = 'private'
         group by v.id`,
      );
      return rows;
    },
    bytesPerSecond: async (clusterId: ClusterId) => {
      const row = await knex('clusters').where('id', clusterId).first('image_bytes_per_second');
      return row?.image_bytes_per_second ?? null;
    },
    bound: async (clusterName, bytesPerSecond) =>
      (await knex('clusters')
        .where('name', clusterName)
        .update({ image_bytes_per_second: bytesPerSecond })) > 0,
  };
}

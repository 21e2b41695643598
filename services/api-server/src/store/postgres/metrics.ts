import type { MetricsStore } from '../../vm-metrics/store.ts';
import type { PostgresDatabase } from './database.ts';

/** See {@link MetricsStore}. */
export function createPostgresMetrics({ knex }: PostgresDatabase): MetricsStore {
  return {
    put: async (clusterId, epoch, { atMs, body }) => {
      const { rowCount } = await knex.raw<{ rowCount: number }>(
        `insert into cluster_metrics (cluster_id, at_ms, body)
         select id, :atMs, :body from clusters where id = :clusterId and epoch = :epoch
         on conflict (cluster_id) do update set at_ms = excluded.at_ms, body = excluded.body`,
        { clusterId, epoch, atMs, body: Buffer.from(body) },
      );
      return rowCount === 1;
    },
    newerThan: async (clusterId, knownAtMs) => {
      const row: { at_ms: number; body: Buffer } | undefined = await knex('cluster_metrics')
        .where('cluster_id', clusterId)
        .andWhereNot('at_ms', knownAtMs)
        .first('at_ms', 'body');
      return row === undefined ? undefined : { atMs: row.at_ms, body: row.body };
    },
  };
}

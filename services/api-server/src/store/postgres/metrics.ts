import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { VmSampleSchema } from '@factory/contracts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { MetricsStore } from '../../vm-metrics/store.ts';
import type { PostgresDatabase } from './database.ts';

const [compress, decompress] = [promisify(gzip), promisify(gunzip)];
const samplesBody = Compile(Type.Array(VmSampleSchema));

/** See {@link MetricsStore}: one compressed piece a cluster, replaced as a whole. */
export function createPostgresMetrics({ knex }: PostgresDatabase): MetricsStore {
  return {
    put: async (clusterId, epoch, { atMs, samples }) => {
      const body = await compress(JSON.stringify(samples));
      const { rowCount } = await knex.raw<{ rowCount: number }>(
        `insert into cluster_metrics (cluster_id, at_ms, body)
         select id, :atMs, :body from clusters where id = :clusterId and epoch = :epoch
         on conflict (cluster_id) do update set at_ms = excluded.at_ms, body = excluded.body`,
        { clusterId, epoch, atMs, body },
      );
      return rowCount === 1;
    },
    newerThan: async (clusterId, knownAtMs) => {
      const row: { at_ms: number; body: Buffer } | undefined = await knex('cluster_metrics')
        .where('cluster_id', clusterId)
        .andWhereNot('at_ms', knownAtMs)
        .first('at_ms', 'body');
      if (row === undefined) return undefined;
      const text = (await decompress(row.body)).toString('utf8');
      return { atMs: row.at_ms, samples: samplesBody.Parse(JSON.parse(text)) };
    },
  };
}

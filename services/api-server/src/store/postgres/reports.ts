import type { BatchId, BatchReport } from '@factory/contracts';
import type { Knex } from 'knex';
import {
  buildReport,
  MADE_STATES,
  REPORT_PERCENTILES,
  REST_STATES,
  type ReportInput,
  type ReportTally,
} from '../../batches/report.ts';
import type { ReportStore } from '../../batches/report-store.ts';
import type { PostgresDatabase } from './database.ts';
import { batchRows, type Row, termRows } from './rows.ts';

/** Batches that an estimate is made from at most. */
const RECENT_MAX = 50;

/** See {@link ReportStore}. */
export function createPostgresReports(db: PostgresDatabase): ReportStore {
  return {
    find: async (projectId, id, nowMs) => {
      const row: Row | undefined = await db
        .knex('batches')
        .where({ id, project_id: projectId })
        .first();
      if (row === undefined) return undefined;
      // What we kept is a report.
      if (row.report !== null) return row.report as BatchReport;
      return buildReport(await inputOf(db.knex, row), nowMs, false);
    },
    recentSeconds: async (sinceMs) => {
      const { rows } = await db.knex.raw<{ rows: readonly { last: number }[] }>(
        `select (report->'seconds'->>'last')::float8 as last from batches
         where created_at_ms > :sinceMs and report->'seconds'->>'last' is not null
         order by id desc limit :limit`,
        { sinceMs, limit: RECENT_MAX },
      );
      return rows.map(({ last }) => last);
    },
    keep: async (nowMs, limit) => {
      const { rows } = await db.knex.raw<{ rows: readonly { id: BatchId }[] }>(
        `select id from batches b
         where report is null and state in ('active', 'failed', 'deleted') and not needs_planning
           and not exists (select 1 from vms v
             where v.batch_id = b.id and v.state <> all(:rest::text[]))
         order by id limit :limit`,
        { rest: [...REST_STATES], limit },
      );
      for (const { id } of rows) await db.transaction((trx) => keepReport(trx, id, nowMs));
      return rows.length;
    },
  };
}

/** Keeps the report of a batch as it is now, unless there is one. */
export async function keepReport(trx: Knex.Transaction, id: BatchId, nowMs: number): Promise<void> {
  const row: Row | undefined = await trx('batches').where({ id, report: null }).forUpdate().first();
  if (row === undefined) return;
  const report = buildReport(await inputOf(trx, row), nowMs, true);
  await trx('batches')
    .where({ id })
    .update({ report: JSON.stringify(report) });
}

async function inputOf(knex: Knex, row: Row): Promise<ReportInput> {
  const batch = batchRows.fromRow(row);
  const tallies = await knex.raw<{ rows: readonly ReportTally[] }>(
    `select v.cluster_id as "clusterId", k.name as "clusterName", f.fate,
       case when f.fate = 'failed' then v.reason end as reason,
       count(*) as machines, sum(v.vcpus)::bigint as vcpus
     from vms v left join clusters k on k.id = v.cluster_id
     cross join lateral (select case when v.state = 'failed' then 'failed'
       when v.timeline->'started' is not null or v.state = any(:made) then 'made'
       when v.desired = 'deleted' then 'withdrawn' else 'unplaced' end as fate) f
     where v.batch_id = :id group by 1, 2, 3, 4`,
    { id: batch.id, made: [...MADE_STATES] },
  );
  const started = await knex.raw<{ rows: readonly { after: readonly number[] | null }[] }>(
    `select percentile_disc(:percentiles::float8[]) within group
       (order by (timeline->>'started')::float8 - created_at_ms) as after
     from vms where batch_id = :id and timeline->'started' is not null`,
    { id: batch.id, percentiles: [...REPORT_PERCENTILES] },
  );
  const { failure } = termRows.fromRow(row);
  return { batch, failure, tallies: tallies.rows, startedAfterMs: started.rows[0]?.after ?? null };
}

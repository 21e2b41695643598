import type { ClusterId, ProjectId, UsageGroup } from '@factory/contracts';
import type { Knex } from 'knex';
import {
  HOUR_S,
  type UsageInterval,
  type UsageQuery,
  type UsageScope,
  type UsageStore,
  type UsageSumsRow,
} from '../../usage/store.ts';
import type { PostgresDatabase } from './database.ts';

/** Marks that one transaction takes. */
const MARKS_MAX = 10_000;
const FORGET_MAX = 10_000;

/** Amount × seconds of an interval `i` within an hour `h`. */
const SUMS = ['vcpus', 'memory_mib', 'disk_gib', '(i.vcpus > 0)::int']
  .map((amount) => {
    const name = amount.startsWith('(') ? amount : `i.${amount}`;
    return `sum(${name}::bigint * (least(i.to_s, h.hour_s + ${HOUR_S}, :nowS)
      - greatest(i.from_s, h.hour_s)))::bigint`;
  })
  .join(', ');
const COLUMNS = 'vcpu_seconds, memory_mib_seconds, disk_gib_seconds, machine_seconds';
const OVERLAPS = `i.to_s > h.hour_s and i.from_s < least(h.hour_s + ${HOUR_S}, :nowS)`;

/** See {@link UsageStore}; the intervals are written by the trigger of migration 0071. */
export function createPostgresUsage(db: PostgresDatabase): UsageStore {
  const { knex } = db;
  return {
    rollUp: (nowS) => db.transaction((trx) => rollUp(trx, nowS)),
    sums: (query) => sums(knex, query),
    async records({ projectId, fromS, toS, after, limit }) {
      const { rows } = await knex.raw<{ rows: readonly UsageInterval[] }>(
        `select id, project_id as "projectId", cluster_id as "clusterId",
           batch_id as "batchId", vm_id as "vmId", from_s as "fromS", to_s as "toS",
           vcpus, memory_mib as "memoryMiB", disk_gib as "diskGiB"
         from usage_intervals
         where project_id = :projectId and to_s > :fromS and from_s < :toS
           and (to_s, id) > (:afterToS, :afterId)
         order by to_s, id limit :limit`,
        {
          ...{ projectId, fromS, toS, limit },
          ...{ afterToS: after?.toS ?? fromS, afterId: after?.id ?? 0 },
        },
      );
      return rows;
    },
    async cluster(nameOrId, owner) {
      const found = knex('clusters').where((each) =>
        each.where('name', nameOrId).orWhere('id', nameOrId),
      );
      if (owner !== undefined) found.andWhere('owner_organisation_id', owner);
      return found.first('id', 'name');
    },
    async forget(beforeS) {
      const { rowCount } = await knex.raw<{ rowCount: number }>(
        `delete from usage_intervals where ctid = any(array(
           select ctid from usage_intervals where to_s < ? limit ${FORGET_MAX}))`,
        [beforeS],
      );
      return rowCount;
    },
  };
}

/** One process at a time; what it does not see has a mark that it will see the next time. */
async function rollUp(trx: Knex.Transaction, nowS: number): Promise<number> {
  const { rows: locks } = await trx.raw(
    "select pg_try_advisory_xact_lock(hashtext('usage')) as mine",
  );
  if (locks[0].mine !== true) return 0;
  const hourS = nowS - (nowS % HOUR_S);
  await trx.raw(
    `insert into usage_marks (project_id, cluster_id, hour_s)
     select distinct i.project_id, i.cluster_id, b.hour_s from usage_progress b, projects p
     join usage_intervals i on i.project_id = p.id
     where b.hour_s < :hourS and i.to_s > b.hour_s`,
    { hourS },
  );
  await trx.raw(
    `insert into usage_progress (hour_s) values (:hourS)
     on conflict (id) do update set hour_s = :hourS where usage_progress.hour_s < :hourS`,
    { hourS },
  );
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `with taken as (
       delete from usage_marks where id in (
         select id from usage_marks where hour_s < :hourS order by id limit ${MARKS_MAX})
       returning project_id, cluster_id, hour_s
     ), h as (
       select project_id, cluster_id, hour_s from (
         select project_id, cluster_id, min(hour_s) as from_s from taken group by 1, 2) pairs,
         generate_series(from_s, :hourS::bigint - 1, ${HOUR_S}) as each(hour_s)
     )
     insert into usage_hours (project_id, cluster_id, hour_s, ${COLUMNS})
     select project_id, cluster_id, hour_s, coalesce(v, 0), coalesce(m, 0), coalesce(d, 0),
       coalesce(n, 0)
     from h left join lateral (
       select ${SUMS} from usage_intervals i
       where i.project_id = h.project_id and i.cluster_id = h.cluster_id and ${OVERLAPS}
     ) as s(v, m, d, n) on true
     on conflict (project_id, hour_s, cluster_id) do update set
       vcpu_seconds = excluded.vcpu_seconds, memory_mib_seconds = excluded.memory_mib_seconds,
       disk_gib_seconds = excluded.disk_gib_seconds, machine_seconds = excluded.machine_seconds`,
    { hourS, nowS },
  );
  return rowCount;
}

const GROUPS: Readonly<Record<UsageGroup, readonly [column: string, name: string]>> = {
  hour: ['hour_s', 'fromS'],
  day: ['hour_s - hour_s % 86400', 'fromS'],
  project: ['project_id', 'projectId'],
  cluster: ['cluster_id', 'clusterId'],
};

async function sums(knex: Knex, query: UsageQuery): Promise<readonly UsageSumsRow[]> {
  const { fromS, toS, nowS, groups, limit, scope } = query;
  const shown = groups.map((group) => `${GROUPS[group][0]} as "${GROUPS[group][1]}"`);
  const by = groups.map((_, index) => index + 1).join(', ');
  const [condition, id] = conditionOf(scope);
  const { rows } = await knex.raw<{ rows: readonly UsageSumsRow[] }>(
    `with progress as (
       select coalesce((select hour_s from usage_progress), 0) as hour_s
     ), hours as (
       select u.project_id, u.cluster_id, u.hour_s, ${COLUMNS}
       from usage_hours u, progress p
       where ${condition('u')} and u.hour_s >= :fromS and u.hour_s < least(:toS, p.hour_s)
       union all
       select i.project_id, i.cluster_id, h.hour_s, ${SUMS}
       from progress p,
         generate_series(greatest(:fromS::bigint, p.hour_s), :toS::bigint - 1, ${HOUR_S}) as h(hour_s)
         join usage_intervals i on ${OVERLAPS}
       where ${condition('i')}
       group by 1, 2, 3
     )
     select ${[...shown, ''].join(', ')}
       coalesce(sum(vcpu_seconds), 0)::bigint as "vcpuSeconds",
       coalesce(sum(memory_mib_seconds), 0)::bigint as "memoryMiBSeconds",
       coalesce(sum(disk_gib_seconds), 0)::bigint as "diskGiBSeconds",
       coalesce(sum(machine_seconds), 0)::bigint as "machineSeconds"
     from hours ${by === '' ? '' : `group by ${by} order by ${by}`} limit :limit`,
    { fromS, toS: Math.min(toS, nowS), nowS, limit, id },
  );
  return rows;
}

function conditionOf(
  scope: UsageScope,
): readonly [(table: string) => string, ProjectId | ClusterId | string] {
  if ('projectId' in scope) return [(table) => `${table}.project_id = :id`, scope.projectId];
  if ('clusterId' in scope) return [(table) => `${table}.cluster_id = :id`, scope.clusterId];
  const projects = 'select id from projects where organisation_id = :id';
  return [(table) => `${table}.project_id in (${projects})`, scope.organisationId];
}

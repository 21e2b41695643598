import type { ProjectId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { EventLimits, EventRecord, EventSlice, EventStore } from '../../events/store.ts';
import type { PostgresDatabase } from './database.ts';

/** What the triggers of migration 0070 wake. */
export const EVENTS_CHANNEL = 'factory_api_events';
/** Events that get their numbers in one transaction; the next one takes the rest. */
const NUMBER_MAX = 20_000;
/** Events of one project that are forgotten at a time. */
const FORGET_MAX = 10_000;

/** See {@link EventStore}. `subscribe` hears of every transaction that left events. */
export function createPostgresEvents(
  db: PostgresDatabase,
  subscribe: EventStore['subscribe'],
): EventStore {
  return {
    subscribe,
    async number(nowMs) {
      while ((await db.transaction((trx) => numberSome(trx, nowMs))) === NUMBER_MAX);
    },
    async heads(projectIds) {
      const rows: readonly { project_id: ProjectId; last_seq: number }[] = await db
        .knex('event_heads')
        .whereIn('project_id', [...projectIds])
        .select('project_id', 'last_seq');
      return new Map(rows.map((row) => [row.project_id, row.last_seq]));
    },
    after: (projectId, after, limit) => slice(db.knex, projectId, after, limit),
    tellOfClusters: (silentBeforeMs) =>
      db.transaction((trx) => tellOfClusters(trx, silentBeforeMs)),
    forget: (nowMs, limits) => forget(db.knex, nowMs, limits),
  };
}

/** One at a time in the whole factory: whoever comes second finds what the first has left. */
async function numberSome(trx: Knex.Transaction, nowMs: number): Promise<number> {
  await trx.raw("select pg_advisory_xact_lock(hashtext('events'))");
  const { rows } = await trx.raw<{ rows: readonly { count: number }[] }>(
    `with taken as (
       delete from event_outbox where id in (
         select id from event_outbox order by id limit ${NUMBER_MAX})
       returning *
     ), counted as (
       select project_id, count(*) as count from taken group by project_id
     ), heads as (
       insert into event_heads as h (project_id, last_seq)
       select project_id, count from counted
       on conflict (project_id) do update set last_seq = h.last_seq + excluded.last_seq
       returning project_id, last_seq
     ), numbered as (
       insert into events (project_id, seq, at_ms, type, subject, data)
       select t.project_id, h.last_seq - c.count
         + row_number() over (partition by t.project_id order by t.id),
         :nowMs, t.type, t.subject, t.data
       from taken t join heads h using (project_id) join counted c using (project_id)
     )
     select count(*) as count from taken`,
    { nowMs },
  );
  return rows[0]?.count ?? 0;
}

async function slice(
  knex: Knex,
  projectId: ProjectId,
  after: number | undefined,
  limit: number,
): Promise<EventSlice> {
  const { rows } = await knex.raw<{
    rows: readonly (EventRecord & { lastSeq: number; firstSeq: number; seq: number | null })[];
  }>(
    `select h.last_seq as "lastSeq", e.*, coalesce(
       (select seq from events where project_id = h.project_id order by seq limit 1),
       h.last_seq + 1) as "firstSeq"
     from event_heads h left join lateral (
       select seq, at_ms as "atMs", type, subject, data from events
       where project_id = h.project_id and seq > :after order by seq limit :limit
     ) e on true
     where h.project_id = :projectId order by e.seq`,
    { projectId, after: after ?? 0, limit },
  );
  const [first] = rows;
  if (first === undefined) return { events: [], firstSeq: 1, lastSeq: 0 };
  const { lastSeq, firstSeq } = first;
  return { events: rows.filter(({ seq }) => seq !== null), firstSeq, lastSeq };
}

/** Rows of `cluster_silences` are the clusters that were silent when it was last looked. */
async function tellOfClusters(trx: Knex.Transaction, silentBeforeMs: number): Promise<void> {
  await trx.raw(
    `with silent as (
       insert into cluster_silences (cluster_id, since_ms)
       select id, last_seen_at_ms from clusters where last_seen_at_ms < :silentBeforeMs
       on conflict do nothing returning cluster_id, since_ms
     ), back as (
       delete from cluster_silences s using clusters k
       where k.id = s.cluster_id and k.last_seen_at_ms >= :silentBeforeMs
       returning s.cluster_id, s.since_ms
     ), told as (
       select 'cluster.silent' as type, * from silent
       union all select 'cluster.back', * from back
     ), added as (
       insert into event_outbox (project_id, type, subject, data)
       select v.project_id, t.type, t.cluster_id, jsonb_build_object('name', k.name,
         'machines', v.machines, 'lastSeenAt', to_char(
           to_timestamp(t.since_ms / 1000.0) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
       from told t join clusters k on k.id = t.cluster_id cross join lateral (
         select project_id, count(*) as machines from vms
         where cluster_id = t.cluster_id and state <> 'deleted' group by project_id) v
       returning 1
     )
     select pg_notify('${EVENTS_CHANNEL}', '') from added limit 1`,
    { silentBeforeMs },
  );
}

/** From the lowest number on, so that what is kept is without gaps. */
async function forget(knex: Knex, nowMs: number, limits: EventLimits): Promise<number> {
  const { rowCount } = await knex.raw<{ rowCount: number }>(
    `delete from events e using event_heads h, lateral (
       select max(seq) as seq from (
         select seq, at_ms from events where project_id = h.project_id
         order by seq limit ${FORGET_MAX}) oldest
       where at_ms < :beforeMs or seq <= h.last_seq - :keptMax) bound
     where e.project_id = h.project_id and e.seq <= bound.seq`,
    { beforeMs: nowMs - limits.keptMs, keptMax: limits.keptMax },
  );
  return rowCount;
}

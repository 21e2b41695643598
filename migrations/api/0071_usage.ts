import type { Knex } from 'knex';

/** What an interval that has not ended ends with; the greatest whole number of JavaScript. */
const OPEN = '9007199254740991';

/**
 * What machines use, by the second: intervals that a trigger writes with each change of a machine's
 * state or shape (contracts: `USAGE_OF_STATE`), and sums of them by hour. A mark says of which hour
 * on the sums of a project at a cluster are to be made again: it becomes visible with the change, so
 * no change is ever missed.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('usage_intervals', (table) => {
    table.specificType('id', 'bigint generated always as identity primary key');
    table.text('project_id').notNullable();
    table.text('cluster_id').notNullable();
    table.text('batch_id').notNullable();
    table.text('vm_id').notNullable();
    table.bigInteger('from_s').notNullable();
    table.bigInteger('to_s').notNullable().defaultTo(knex.raw(OPEN));
    /** As much as counts: a machine that is off has no cores. */
    table.integer('vcpus').notNullable();
    table.bigInteger('memory_mib').notNullable();
    table.integer('disk_gib').notNullable();
    table.index(['project_id', 'to_s', 'id']);
  });
  await knex.raw(
    `create unique index usage_intervals_open on usage_intervals (vm_id) where to_s = ${OPEN}`,
  );
  await knex.schema.createTable('usage_hours', (table) => {
    table.text('project_id').notNullable();
    table.text('cluster_id').notNullable();
    table.bigInteger('hour_s').notNullable();
    for (const what of ['vcpu', 'memory_mib', 'disk_gib', 'machine']) {
      table.bigInteger(`${what}_seconds`).notNullable();
    }
    table.primary(['project_id', 'hour_s', 'cluster_id']);
    table.index(['cluster_id', 'hour_s']);
  });
  await knex.schema.createTable('usage_marks', (table) => {
    table.specificType('id', 'bigint generated always as identity primary key');
    table.text('project_id').notNullable();
    table.text('cluster_id').notNullable();
    table.bigInteger('hour_s').notNullable();
  });
  await knex.schema.createTable('usage_progress', (table) => {
    table.boolean('id').primary().defaultTo(true);
    /** All hours before this one have their sums, but for what marks say. */
    table.bigInteger('hour_s').notNullable();
  });
  await createFunctions(knex);
  await knex.raw(`create trigger vms_usage after update on vms
    referencing old table as old_rows new table as new_rows
    for each statement execute function vms_usage()`);
  await knex.raw(`insert into usage_intervals
      (project_id, cluster_id, batch_id, vm_id, from_s, vcpus, memory_mib, disk_gib)
    select project_id, cluster_id, batch_id, id, extract(epoch from now())::bigint,
      case when usage_level(state, host_name) = 2 then vcpus else 0 end,
      case when usage_level(state, host_name) = 2 then memory_mib else 0 end, disk_gib
    from vms where cluster_id is not null and usage_level(state, host_name) > 0`);
  await knex.raw(`insert into usage_marks (project_id, cluster_id, hour_s)
    select distinct project_id, cluster_id, from_s - from_s % 3600 from usage_intervals`);
}

async function createFunctions(knex: Knex): Promise<void> {
  // 2: all of it counts; 1: its disk; 0: nothing.
  await knex.raw(`create function usage_level(state text, host_name text) returns int
    language sql immutable as $$
      select case
        when state in ('running', 'stopping', 'rebooting', 'suspending') then 2
        when state in ('pending', 'scheduled', 'launching', 'deleted') then 0
        when state = 'failed' and host_name is null then 0
        else 1 end
    $$`);
  // The time of a new state is its cluster's word, but neither in the future nor before the last
  // state; a new shape counts from when it is told of.
  await knex.raw(`create function vms_usage() returns trigger language plpgsql
    set enable_nestloop = off as $$
    declare
      now_ms double precision := coalesce(
        nullif(current_setting('factory.now_ms', true), '')::double precision,
        extract(epoch from clock_timestamp()) * 1000);
    begin
      with changed as (
        select n.id, n.project_id, n.cluster_id, n.batch_id, n.level,
          case when n.level = 2 then n.vcpus else 0 end as vcpus,
          case when n.level = 2 then n.memory_mib else 0 end as memory_mib, n.disk_gib,
          floor(greatest(o.state_since_ms, case when n.state <> o.state
            then least(n.state_since_ms, now_ms) else now_ms end) / 1000)::bigint as at_s
        from (select *, usage_level(state, host_name) as level from new_rows) n
        join (select *, usage_level(state, host_name) as level from old_rows) o on o.id = n.id
        where n.level <> o.level
          or (n.level > 0 and (n.disk_gib <> o.disk_gib
            or n.cluster_id is distinct from o.cluster_id))
          or (n.level = 2 and (n.vcpus <> o.vcpus or n.memory_mib <> o.memory_mib))
      ), closed as (
        update usage_intervals u set to_s = greatest(u.from_s, c.at_s)
        from changed c where u.vm_id = c.id and u.to_s = ${OPEN}
        returning u.vm_id, u.project_id, u.cluster_id, u.to_s
      ), opened as (
        insert into usage_intervals
          (project_id, cluster_id, batch_id, vm_id, from_s, vcpus, memory_mib, disk_gib)
        select c.project_id, c.cluster_id, c.batch_id, c.id, coalesce(l.to_s, c.at_s),
          c.vcpus, c.memory_mib, c.disk_gib
        from changed c left join closed l on l.vm_id = c.id
        where c.level > 0 and c.cluster_id is not null
        on conflict (vm_id) where to_s = ${OPEN} do nothing
        returning project_id, cluster_id, from_s
      )
      insert into usage_marks (project_id, cluster_id, hour_s)
      select distinct project_id, cluster_id, at_s - at_s % 3600 from (
        select project_id, cluster_id, to_s as at_s from closed
        union all select project_id, cluster_id, from_s from opened) each;
      return null;
    end $$`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop trigger vms_usage on vms');
  await knex.raw('drop function vms_usage');
  await knex.raw('drop function usage_level');
  for (const name of ['usage_progress', 'usage_marks', 'usage_hours', 'usage_intervals']) {
    await knex.schema.dropTable(name);
  }
}

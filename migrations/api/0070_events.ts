import type { Knex } from 'knex';

/**
 * What has changed, in order per project. Triggers write it, in the transaction of the change and
 * whoever makes it (an api-server of the release before, too); it gets its number after that
 * transaction's commit, so that nothing appears behind what somebody has read.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('event_outbox', (table) => {
    table.specificType('id', 'bigint generated always as identity primary key');
    table.text('project_id').notNullable();
    table.text('type').notNullable();
    /** The id of what has changed. */
    table.text('subject').notNullable();
    table.jsonb('data').notNullable();
  });
  // Rows come and go: without frequent vacuuming the way to the first one grows long.
  await knex.raw(`alter table event_outbox set (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1)`);
  await knex.schema.createTable('event_heads', (table) => {
    table.text('project_id').primary();
    table.bigInteger('last_seq').notNullable();
  });
  await knex.raw('alter table event_heads set (fillfactor = 50)');
  await knex.schema.createTable('events', (table) => {
    table.text('project_id').notNullable();
    table.bigInteger('seq').notNullable();
    table.bigInteger('at_ms').notNullable();
    table.text('type').notNullable();
    table.text('subject').notNullable();
    table.jsonb('data').notNullable();
    table.primary(['project_id', 'seq']);
  });
  await knex.schema.createTable('cluster_silences', (table) => {
    table.text('cluster_id').primary().references('clusters.id');
    table.bigInteger('since_ms').notNullable();
  });
  await knex.raw(`create function event_happened(project text, type text, subject text, data jsonb)
    returns void language sql as $$
      insert into event_outbox (project_id, type, subject, data)
      select project, type, subject, data where project is not null;
      select pg_notify('factory_api_events', '');
    $$`);
  await watchVms(knex);
  await watchOperations(knex);
  await watchBatches(knex);
  for (const [table, on, condition, body] of SINGLE) {
    const name = `${table}_${on}_event`;
    await knex.raw(`create function ${name}() returns trigger language plpgsql as $$
      begin ${body}; return null; end $$`);
    await knex.raw(`create trigger ${name} after ${on} on ${table} for each row
      ${condition === '' ? '' : `when (${condition})`} execute function ${name}()`);
  }
}

/**
 * Machines change by the thousand in one statement: so do their events. The plan of the first call
 * is kept for all others, and must not be the one that is good for a single row.
 */
async function watchVms(knex: Knex): Promise<void> {
  await knex.raw(`create function vms_insert_event() returns trigger language plpgsql as $$
    begin
      insert into event_outbox (project_id, type, subject, data)
      select project_id, 'vm.created', id, jsonb_build_object('batchId', batch_id, 'name', name,
        'state', state, 'clusterId', cluster_id)
      from new_rows order by id;
      if found then perform pg_notify('factory_api_events', ''); end if;
      return null;
    end $$`);
  await knex.raw(`create trigger vms_insert_event after insert on vms
    referencing new table as new_rows for each statement execute function vms_insert_event()`);
  await knex.raw(`create function vms_update_event() returns trigger language plpgsql
    set enable_nestloop = off as $$
    begin
      insert into event_outbox (project_id, type, subject, data)
      select n.project_id, e.type, n.id,
        jsonb_build_object('batchId', n.batch_id, 'name', n.name) || e.data
      from new_rows n join old_rows o on o.id = n.id cross join lateral (
        select 1 as place, 'vm.moved' as type,
          jsonb_build_object('from', o.cluster_id, 'to', n.cluster_id) as data
        where n.cluster_id is distinct from o.cluster_id
        union all
        select 2, 'vm.wished', jsonb_build_object('desired', n.desired, 'generation', n.generation)
        where n.generation <> o.generation or n.desired <> o.desired
        union all
        select 3, 'vm.stateChanged', jsonb_build_object('from', o.state, 'to', n.state,
          'since', to_char(
          to_timestamp(n.state_since_ms / 1000) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'clusterId', n.cluster_id, 'reason', n.reason, 'message', n.message)
        where n.state <> o.state
        union all
        select 4, 'vm.ready', '{}'::jsonb where n.guest_ready and not o.guest_ready
        union all
        select 5, 'vm.changed', jsonb_build_object('vcpus', n.vcpus, 'memoryMiB', n.memory_mib,
          'diskGiB', n.disk_gib)
        where (n.vcpus, n.memory_mib, n.disk_gib) is distinct from
          (o.vcpus, o.memory_mib, o.disk_gib)
      ) e order by n.id, e.place;
      if found then perform pg_notify('factory_api_events', ''); end if;
      return null;
    end $$`);
  await knex.raw(`create trigger vms_update_event after update on vms
    referencing old table as old_rows new table as new_rows
    for each statement execute function vms_update_event()`);
}

async function watchOperations(knex: Knex): Promise<void> {
  await knex.raw(`create function operations_insert_event() returns trigger language plpgsql as $$
    begin
      insert into event_outbox (project_id, type, subject, data)
      select project_id, 'operation.started', id,
        jsonb_build_object('kind', kind, 'vmId', vm_id, 'parentId', parent_id)
      from new_rows where state = 'running' order by id;
      if found then perform pg_notify('factory_api_events', ''); end if;
      return null;
    end $$`);
  await knex.raw(`create trigger operations_insert_event after insert on operations
    referencing new table as new_rows for each statement execute function operations_insert_event()`);
  await knex.raw(`create function operations_update_event() returns trigger language plpgsql
    set enable_nestloop = off as $$
    begin
      insert into event_outbox (project_id, type, subject, data)
      select n.project_id, 'operation.ended', n.id, jsonb_build_object('kind', n.kind,
        'vmId', n.vm_id, 'parentId', n.parent_id, 'state', n.state, 'reason', n.reason,
        'message', n.message)
      from new_rows n join old_rows o on o.id = n.id
      where n.state <> 'running' and o.state = 'running' order by n.id;
      if found then perform pg_notify('factory_api_events', ''); end if;
      return null;
    end $$`);
  await knex.raw(`create trigger operations_update_event after update on operations
    referencing old table as old_rows new table as new_rows
    for each statement execute function operations_update_event()`);
}

/** A batch may be planned and change its state by one statement: two events. */
async function watchBatches(knex: Knex): Promise<void> {
  await knex.raw(`create function batches_update_event() returns trigger language plpgsql as $$
    begin
      if new.planned_at_ms <> old.planned_at_ms and (old.planned_at_ms = 0
        or new.needs_planning <> old.needs_planning
        or new.pending_reason is distinct from old.pending_reason) then
        perform event_happened(new.project_id, 'batch.planned', new.id,
          jsonb_build_object('name', new.name, 'waits', new.needs_planning,
            'pendingReason', new.pending_reason));
      end if;
      if new.state <> old.state then
        perform event_happened(new.project_id, case new.state when 'deleted' then 'batch.closed'
          else 'batch.stateChanged' end, new.id,
          jsonb_build_object('name', new.name, 'from', old.state, 'to', new.state));
      end if;
      return null;
    end $$`);
  await knex.raw(`create trigger batches_update_event after update on batches for each row
    execute function batches_update_event()`);
}

const happened = (type: string, of: 'new' | 'old', ...data: readonly string[]): string =>
  `perform event_happened(${of}.project_id, '${type}', ${of}.id, jsonb_build_object(${data.join(', ')}))`;
const moved = "'from', old.state, 'to', new.state";

/** Table, what happens to its row, when that counts, and what is done then. */
const SINGLE: readonly (readonly [string, 'insert' | 'update' | 'delete', string, string])[] = [
  ['batches', 'insert', '', happened('batch.accepted', 'new', "'name', new.name")],
  [
    'batch_operations',
    'insert',
    '',
    happened('operation.started', 'new', "'kind', new.kind, 'batchId', new.batch_id"),
  ],
  [
    'volumes',
    'insert',
    '',
    happened('volume.created', 'new', "'name', new.name, 'sizeGiB', new.size_gib"),
  ],
  [
    'volumes',
    'update',
    'new.state <> old.state',
    `if new.state = 'deleted' then ${happened('volume.removed', 'new', "'name', new.name")};
     else ${happened('volume.stateChanged', 'new', "'name', new.name", moved)}; end if`,
  ],
  [
    'subnets',
    'insert',
    '',
    happened('subnet.created', 'new', "'name', new.name, 'cidr', new.cidr"),
  ],
  [
    'subnets',
    'update',
    'new.deleted_at_ms is not null and old.deleted_at_ms is null',
    happened('subnet.removed', 'new', "'name', new.name"),
  ],
  [
    'image_versions',
    'insert',
    '',
    happened('image.created', 'new', "'name', new.name, 'state', new.state"),
  ],
  [
    'image_versions',
    'update',
    'new.state <> old.state',
    happened(
      'image.stateChanged',
      'new',
      "'name', new.name",
      moved,
      "'version', new.version, 'message', new.message",
    ),
  ],
  ['image_versions', 'delete', '', happened('image.removed', 'old', "'name', old.name")],
  ['api_keys', 'insert', '', happened('key.created', 'new', "'name', new.name, 'role', new.role")],
  [
    'api_keys',
    'update',
    'new.revoked and not old.revoked',
    happened('key.revoked', 'new', "'name', new.name"),
  ],
];

export async function down(knex: Knex): Promise<void> {
  const names = [
    ...SINGLE.map(([table, on]) => [table, on] as const),
    ...(['vms', 'operations'] as const).flatMap((table) => [
      [table, 'insert'] as const,
      [table, 'update'] as const,
    ]),
    ['batches', 'update'] as const,
  ];
  for (const [table, on] of names) {
    await knex.raw(`drop trigger ${table}_${on}_event on ${table}`);
    await knex.raw(`drop function ${table}_${on}_event`);
  }
  await knex.raw('drop function event_happened');
  await knex.schema.dropTable('cluster_silences');
  await knex.schema.dropTable('events');
  await knex.schema.dropTable('event_heads');
  await knex.schema.dropTable('event_outbox');
}

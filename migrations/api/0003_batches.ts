import type { Knex } from 'knex';

/** Batches, their machines, and the one-shot operations on these. */
export async function up(knex: Knex): Promise<void> {
  await createBatches(knex);
  await createVms(knex);
  await knex.schema.createTable('operations', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable();
    table.text('vm_id').notNullable().references('vms.id').index();
    table.text('cluster_id').notNullable();
    table.text('kind').notNullable();
    table.text('state').notNullable();
    table.text('message').notNullable().defaultTo('');
    table.text('output').notNullable().defaultTo('');
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('deadline_at_ms').notNullable().index();
    table.bigInteger('finished_at_ms');
  });
  await knex.schema.createTable('idempotency_keys', (table) => {
    table.text('project_id').notNullable();
    table.text('key').notNullable();
    table.text('request_hash').notNullable();
    table.text('batch_id').notNullable();
    // Not jsonb, which reorders keys: a repeated request gets the same bytes.
    table.json('answer').notNullable();
    table.bigInteger('created_at_ms').notNullable().index();
    table.primary(['project_id', 'key']);
  });
}

async function createBatches(knex: Knex): Promise<void> {
  await knex.schema.createTable('batches', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id');
    table.text('name').notNullable();
    table.text('state').notNullable();
    table.text('image').notNullable();
    /** `{kind: count|cores, …}`: what was asked for. */
    table.jsonb('size').notNullable();
    table.integer('disk_gib').notNullable();
    table.jsonb('ssh_public_keys').notNullable();
    table.text('user_data').notNullable();
    table.jsonb('labels').notNullable();
    table.text('pending_reason');
    table.boolean('needs_planning').notNullable();
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('planned_at_ms').notNullable().defaultTo(0);
    table.index(['project_id', 'id']);
  });
  await knex.raw(`create unique index batches_name on batches (project_id, name)
    where state <> 'deleted'`);
  await knex.raw('create index batches_waiting on batches (id) where needs_planning');
  await knex.raw("create index batches_deleting on batches (id) where state = 'deleting'");
  await knex.schema.createTable('batch_shares', (table) => {
    table.text('batch_id').notNullable().references('batches.id');
    table.text('cluster_id').notNullable().references('clusters.id');
    table.text('state').notNullable();
    table.integer('total_vcpus').notNullable();
    table.bigInteger('changed_at_ms').notNullable();
    table.jsonb('plan');
    table.primary(['batch_id', 'cluster_id']);
    table.index(['cluster_id']);
  });
}

async function createVms(knex: Knex): Promise<void> {
  await knex.schema.createTable('vms', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable();
    table.text('batch_id').notNullable().references('batches.id');
    table.text('batch_name').notNullable();
    table.text('name').notNullable();
    table.text('image').notNullable();
    table.integer('vcpus').notNullable();
    table.integer('memory_mib').notNullable();
    table.integer('disk_gib').notNullable();
    table.text('subnet_id').notNullable().references('subnets.id');
    table.bigInteger('address_offset').notNullable();
    table.text('ip_address').notNullable();
    table.text('mac_address').notNullable();
    table.bigInteger('created_at_ms').notNullable();
    // What is wished.
    table.text('desired').notNullable();
    table.integer('generation').notNullable();
    table.text('cluster_id').references('clusters.id');
    table.integer('assignment_epoch').notNullable();
    table.bigInteger('assigned_seq');
    // What is observed.
    table.text('state').notNullable();
    table.double('state_since_ms').notNullable();
    table.boolean('guest_ready').notNullable();
    table.text('reason');
    table.text('message');
    table.text('host_name');
    table.bigInteger('revision').notNullable();
    table.integer('applied_generation').notNullable();
    table.jsonb('timeline').notNullable();
    table.index(['project_id', 'state', 'id']);
    table.index(['project_id', 'name']);
    table.index(['batch_id', 'id']);
    table.index(['cluster_id', 'assigned_seq']);
  });
  // Batch summaries are made of this index alone.
  await knex.raw('create index vms_by_batch_state on vms (batch_id, state) include (guest_ready)');
  await knex.raw("create index vms_shown on vms (project_id, id) where state <> 'deleted'");
  await knex.raw(`create unique index vms_address on vms (subnet_id, address_offset)
    where state <> 'deleted'`);
  await knex.raw(`create index vms_unassigned on vms (batch_id, state_since_ms)
    where cluster_id is null and state = 'pending'`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('idempotency_keys');
  await knex.schema.dropTable('operations');
  await knex.schema.dropTable('vms');
  await knex.schema.dropTable('batch_shares');
  await knex.schema.dropTable('batches');
}

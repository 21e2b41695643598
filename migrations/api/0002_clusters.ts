import type { Knex } from 'knex';

/** The clusters, how they got in, what they have, and the commands that they still must apply. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('clusters', (table) => {
    table.text('id').primary();
    table.text('name').notNullable().unique();
    table.text('public_key').notNullable();
    table.integer('epoch').notNullable().defaultTo(0);
    table.bigInteger('enrolled_at_ms').notNullable();
    table.bigInteger('last_seen_at_ms');
    /** All hosts; only planning reads it. */
    table.jsonb('capacity');
    /** Sums and images of `capacity`, for lists. */
    table.jsonb('capacity_summary');
    /** The last command that the cluster has applied. */
    table.bigInteger('acked_seq').notNullable().defaultTo(0);
    /** The same at the time when it reported its capacity. */
    table.bigInteger('capacity_seq').notNullable().defaultTo(0);
  });
  // Apart from `clusters`, because every exchange writes there: its row lock orders the commands.
  await knex.schema.createTable('command_logs', (table) => {
    table.text('cluster_id').primary().references('clusters.id');
    table.bigInteger('last_seq').notNullable().defaultTo(0);
  });
  await knex.schema.createTable('commands', (table) => {
    table.text('cluster_id').notNullable().references('clusters.id');
    table.bigInteger('seq').notNullable();
    table.jsonb('command').notNullable();
    /** Length of `command` as JSON: answers to clusters are bounded by it. */
    table.integer('bytes').notNullable();
    table.primary(['cluster_id', 'seq']);
  });
  await knex.schema.createTable('enrolment_tokens', (table) => {
    table.text('token_hash').primary();
    table.text('cluster_name').notNullable().unique();
    table.bigInteger('expires_at_ms').notNullable();
  });
  await knex.schema.createTable('link_nonces', (table) => {
    table.text('cluster_id').notNullable();
    table.text('nonce').notNullable();
    table.bigInteger('seen_at_ms').notNullable().index();
    table.primary(['cluster_id', 'nonce']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('link_nonces');
  await knex.schema.dropTable('enrolment_tokens');
  await knex.schema.dropTable('commands');
  await knex.schema.dropTable('command_logs');
  await knex.schema.dropTable('clusters');
}

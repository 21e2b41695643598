import type { Knex } from 'knex';

/** Room that is kept for a short time for a batch that is yet to be asked for. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('holds', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id').index();
    /** The batch that it is for. */
    table.json('request').notNullable();
    table.jsonb('claim').notNullable();
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('expires_at_ms').notNullable().index();
    /** Made of it; it is kept for that until it is planned. */
    table.text('batch_id').references('batches.id').deferrable('deferred').index();
  });
  await knex.schema.createTable('hold_parts', (table) => {
    table.text('hold_id').notNullable().references('holds.id').onDelete('cascade');
    table.text('cluster_id').notNullable().references('clusters.id').index();
    table.integer('vcpus').notNullable();
    table.bigInteger('memory_mib').notNullable();
    table.primary(['hold_id', 'cluster_id']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('hold_parts');
  await knex.schema.dropTable('holds');
}

import type { Knex } from 'knex';

/** What the last conformance run of each cluster found. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('conformance_reports', (table) => {
    table.text('cluster_id').primary().references('clusters.id');
    table.bigInteger('at_ms').notNullable();
    table.boolean('passed').notNullable();
    table.jsonb('checks').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('conformance_reports');
}

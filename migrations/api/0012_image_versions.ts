import type { Knex } from 'knex';

/** Images of projects: their versions, how they stand with the clusters, and where they are wanted. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('image_versions', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id');
    table.text('name').notNullable();
    /** Its folder on the clusters' storage. */
    table.text('folder').notNullable();
    table.text('visibility').notNullable();
    table.text('state').notNullable();
    table.bigInteger('state_since_ms').notNullable();
    /** By then it is in another state; null in those that stay. */
    table.bigInteger('deadline_at_ms').index();
    /** Until then an api-server works on it. */
    table.bigInteger('lease_until_ms').notNullable().defaultTo(0);
    table.text('message');
    table.jsonb('facts').notNullable();
    table.jsonb('source').notNullable();
    table.string('expected_sha256', 64);
    /** SHA-256 of its content, known from `ready` on. */
    table.string('version', 64);
    table.text('format');
    table.bigInteger('size_bytes').notNullable().defaultTo(0);
    table.bigInteger('total_bytes');
    table.bigInteger('virtual_size_bytes');
    table.bigInteger('created_at_ms').notNullable();
    table.index(['folder', 'version']);
    table.index(['name']);
    table.index(['project_id', 'name']);
  });
  await knex.schema.createTable('cluster_images', (table) => {
    table.text('cluster_id').primary().references('clusters.id');
    table.jsonb('images').notNullable();
    table.bigInteger('reported_at_ms').notNullable();
  });
  await knex.schema.createTable('image_stages', (table) => {
    table.text('cluster_id').notNullable().references('clusters.id');
    table.text('folder').notNullable();
    table.string('version', 64).notNullable();
    /** Null: all hosts. */
    table.jsonb('host_names');
    table.bigInteger('until_ms').notNullable().index();
    table.primary(['cluster_id', 'folder', 'version']);
  });
  await knex.schema.alterTable('batches', (table) => {
    /** Fixed when the batch was accepted; null for a cluster's own image without a wish. */
    table.string('image_version', 64);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumn('image_version');
  });
  await knex.schema.dropTable('image_stages');
  await knex.schema.dropTable('cluster_images');
  await knex.schema.dropTable('image_versions');
}

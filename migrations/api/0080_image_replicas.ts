import type { Knex } from 'knex';

/** Where private versions of images are wanted beside their homes, and how fast they may travel. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('image_replicas', (table) => {
    table.text('cluster_id').notNullable().references('clusters.id');
    table
      .text('image_id')
      .notNullable()
      .references('image_versions.id')
      .onDelete('cascade')
      .index();
    /** batch or user. */
    table.text('wanted_by').notNullable();
    /** Null: until it is taken back. */
    table.bigInteger('until_ms');
    table.bigInteger('created_at_ms').notNullable();
    table.primary(['cluster_id', 'image_id']);
  });
  await knex.schema.alterTable('image_versions', (table) => {
    /** Of one that was made of a machine: since when the api-server has its content, too. */
    table.bigInteger('copied_at_ms');
  });
  await knex.schema.alterTable('clusters', (table) => {
    /** Of images, in both directions together; null: no bound. */
    table.bigInteger('image_bytes_per_second');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    table.dropColumn('image_bytes_per_second');
  });
  await knex.schema.alterTable('image_versions', (table) => {
    table.dropColumn('copied_at_ms');
  });
  await knex.schema.dropTable('image_replicas');
}

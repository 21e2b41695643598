import type { Knex } from 'knex';

/** Sizes of machines that have names, for everybody. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('flavors', (table) => {
    table.text('name').primary();
    table.integer('vcpus').notNullable();
    table.integer('memory_mib').notNullable();
    table.integer('disk_gib').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('flavors');
}

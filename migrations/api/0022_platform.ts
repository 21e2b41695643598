import type { Knex } from 'knex';

/** The organisation that runs the factory: its admins and operators run clusters and all tenants. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('organisations', (table) => {
    table.boolean('is_platform').notNullable().defaultTo(false);
  });
  // Until now there was but one, which the factory begins with.
  await knex('organisations').where('name', 'default').update({ is_platform: true });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('organisations', (table) => {
    table.dropColumn('is_platform');
  });
}

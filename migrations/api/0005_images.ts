import type { Knex } from 'knex';

/** Which version of its image a machine was planned with; the image may have newer ones since. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.string('image_version', 64);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('image_version');
  });
}

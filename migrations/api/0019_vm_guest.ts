import type { Knex } from 'knex';

/** What a machine's guest says of itself through its agent; null while nothing is known. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.jsonb('guest');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('guest');
  });
}

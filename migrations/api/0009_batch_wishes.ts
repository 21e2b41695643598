import type { Knex } from 'knex';

/** What the machines of a batch wish of their hosts. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.jsonb('wishes').notNullable().defaultTo('{}');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumn('wishes');
  });
}

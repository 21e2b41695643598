import type { Knex } from 'knex';

/** Operations on machines that are chosen one by one, or by what they are: of no batch. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batch_operations', (table) => {
    table.setNullable('batch_id');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex('batch_operations').where('batch_id', null).delete();
  await knex.schema.alterTable('batch_operations', (table) => {
    table.dropNullable('batch_id');
  });
}

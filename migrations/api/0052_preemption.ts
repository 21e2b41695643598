import type { Knex } from 'knex';

/** Machines that were deleted for others: counted for their batch, and found fast. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.integer('preempted').notNullable().defaultTo(0);
  });
  await knex.raw('create index batches_preemptible on batches (id) where preemptible');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index batches_preemptible');
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumn('preempted');
  });
}

import type { Knex } from 'knex';

/** The sweep finds at once those whose report is yet to be kept. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('create index batches_unreported on batches (id) where report is null');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index batches_unreported');
}

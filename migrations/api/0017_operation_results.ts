import type { Knex } from 'knex';

/** What operations give besides their outcome, and why they failed. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('operations', (table) => {
    table.text('reason');
    /** By kind: contracts' `OperationData`. */
    table.jsonb('data');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('operations', (table) => {
    table.dropColumns('reason', 'data');
  });
}

import type { Knex } from 'knex';

/** For whose key an enrolment token was spent: whoever has it may ask again for a lost answer. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('enrolment_tokens', (table) => {
    table.text('spent_for');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('enrolment_tokens', (table) => {
    table.dropColumn('spent_for');
  });
}

import type { Knex } from 'knex';

/** What operators say of a cluster, apart from what holds: that is theirs, then what it says itself. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    table.text('given_region').notNullable().defaultTo('');
    table.jsonb('given_attributes').notNullable().defaultTo('{}');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    table.dropColumns('given_region', 'given_attributes');
  });
}

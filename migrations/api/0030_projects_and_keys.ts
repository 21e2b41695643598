import type { Knex } from 'knex';

/** Projects can be closed; keys expire, are rotated and say what they were used for. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('projects', (table) => {
    table.bigInteger('closed_at_ms');
  });
  await knex.schema.alterTable('api_keys', (table) => {
    // Until now there was but the one admin's key, which was for everything.
    table.text('scope').notNullable().defaultTo('organisation');
    table.text('created_by');
    table.bigInteger('expires_at_ms');
    table.bigInteger('revoked_at_ms');
    table.bigInteger('last_used_at_ms');
    table.text('successor_id');
    table.boolean('allows_ucloud').notNullable().defaultTo(false);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('api_keys', (table) => {
    for (const column of ['scope', 'created_by', 'expires_at_ms', 'revoked_at_ms']) {
      table.dropColumn(column);
    }
    table.dropColumns('last_used_at_ms', 'successor_id', 'allows_ucloud');
  });
  await knex.schema.alterTable('projects', (table) => {
    table.dropColumn('closed_at_ms');
  });
}

import type { Knex } from 'knex';

/** The key that the cluster is about to sign with, and since when it has the one it signs with. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('cluster_server', (table) => {
    table.text('next_private_key');
    table.bigInteger('key_since_ms').notNullable().defaultTo(0);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('cluster_server', (table) => {
    table.dropColumns('next_private_key', 'key_since_ms');
  });
}

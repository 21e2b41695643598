import type { Knex } from 'knex';

/** The cluster-server's memory: who it is, and how far it has reported. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('cluster_server', (table) => {
    table.boolean('singleton').primary().checkIn(['true']);
    table.text('cluster_id');
    table.text('private_key');
    table.bigInteger('reported_revision').notNullable().defaultTo(0);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('cluster_server');
}

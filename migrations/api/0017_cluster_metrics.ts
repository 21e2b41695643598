import type { Knex } from 'knex';

/**
 * What the machines of a cluster use: one row a cluster, replaced at every interval. Unlogged: after a
 * crash of PostgreSQL it is empty until the clusters tell it again, some seconds later.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`create unlogged table cluster_metrics (
    cluster_id text primary key,
    at_ms bigint not null,
    body bytea not null
  )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('cluster_metrics');
}

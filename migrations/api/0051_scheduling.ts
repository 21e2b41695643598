import type { Knex } from 'knex';

/** What decides between projects, and between clusters: see docs/decisions/0039. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    /** Those with a higher one are planned first. */
    table.integer('priority').notNullable().defaultTo(0);
    /** Its machines may be deleted for others. */
    table.boolean('preemptible').notNullable().defaultTo(false);
    /** The clusters that it may be in: `{names, regions, attributes}`; what is absent is not asked. */
    table.jsonb('clusters').notNullable().defaultTo('{}');
  });
  await knex.schema.alterTable('vms', (table) => {
    /** Clusters that would not have it: `[{clusterId, reason}]`. */
    table.jsonb('excluded').notNullable().defaultTo('[]');
  });
  await knex.schema.createTable('cluster_policies', (table) => {
    table.text('id').primary();
    table.text('cluster_id').notNullable().references('clusters.id');
    /** Of all its projects, unless there are rules for the project itself. */
    table.text('organisation_id').references('organisations.id');
    table.text('project_id').references('projects.id');
    /** allowed, preferred or dedicated. */
    table.text('kind').notNullable();
    table.bigInteger('created_at_ms').notNullable();
  });
  await knex.raw(`create unique index cluster_policies_one on cluster_policies
    (cluster_id, coalesce(organisation_id, ''), coalesce(project_id, ''))`);
  await knex.schema.createTable('fair_shares', (table) => {
    table.text('project_id').primary().references('projects.id');
    table.double('weight').notNullable().defaultTo(1);
    /** The vCPUs that it held, averaged over the past with a half-life. */
    table.double('used_vcpus').notNullable().defaultTo(0);
    table.bigInteger('counted_at_ms').notNullable().defaultTo(0);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('fair_shares');
  await knex.schema.dropTable('cluster_policies');
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('excluded');
  });
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumns('priority', 'preemptible', 'clusters');
  });
}

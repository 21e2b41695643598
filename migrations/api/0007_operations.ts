import type { Knex } from 'knex';

/** What operations are told, and how far they are; and what the sweep looks for. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('operations', (table) => {
    table.jsonb('params').notNullable().defaultTo('{}');
    /** `{stage, percent}` while it runs, as last heard. */
    table.jsonb('progress');
  });
  await knex.raw(`create index vms_unheard on vms (state_since_ms)
    where state in ('scheduled', 'launching') and cluster_id is not null`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index vms_unheard');
  await knex.schema.alterTable('operations', (table) => {
    table.dropColumns('params', 'progress');
  });
}

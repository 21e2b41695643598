import type { Knex } from 'knex';

/** Volumes that are being taken from a machine, and that it may still have. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.jsonb('leaving_volumes').notNullable().defaultTo('[]');
  });
  await knex.raw(
    `create index vms_leaving_volumes on vms using gin (leaving_volumes jsonb_path_ops)
     where leaving_volumes <> '[]'`,
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('leaving_volumes');
  });
}

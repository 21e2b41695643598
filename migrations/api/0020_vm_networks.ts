import type { Knex } from 'knex';

/** A machine's own security rules, and its external address. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    /** In place of those of its batch; null: those. */
    table.jsonb('security_rules');
    /** Whether it is to have an external address; null: as its batch says. */
    table.boolean('wants_external');
    table.text('external_address');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumns('security_rules', 'wants_external', 'external_address');
  });
}

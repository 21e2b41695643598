import type { Knex } from 'knex';

/** The vm-scheduler's memory: its framework id, its VMs and its running one-shot operations. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('scheduler_framework', (table) => {
    table.boolean('singleton').primary().checkIn(['true']);
    table.text('framework_id');
  });
  await knex.schema.createTable('scheduler_vms', (table) => {
    table.text('vm_id').primary();
    table.bigInteger('revision').notNullable();
    table.jsonb('record').notNullable();
  });
  await knex.schema.createTable('scheduler_operations', (table) => {
    table.text('operation_id').primary();
    table.bigInteger('revision').notNullable();
    table.jsonb('record').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('scheduler_operations');
  await knex.schema.dropTable('scheduler_vms');
  await knex.schema.dropTable('scheduler_framework');
}

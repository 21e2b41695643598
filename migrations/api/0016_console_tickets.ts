import type { Knex } from 'knex';

/** One-time tickets for consoles. Of a ticket's secret there is only the hash. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('console_tickets', (table) => {
    table.text('id').primary();
    table.text('secret_hash').notNullable();
    table.text('project_id').notNullable();
    table.text('vm_id').notNullable();
    table.text('kind').notNullable();
    table.bigInteger('expires_at_ms').notNullable().index();
    // Set together, when it is used: by which operation, and which api-server has the socket.
    table.text('operation_id').unique();
    table.text('held_at');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('console_tickets');
}

import type { Knex } from 'knex';

/** Who is called when something happens in a project, how far each has come, and what was sent. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('webhooks', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id');
    table.text('name').notNullable();
    table.text('url').notNullable();
    table.jsonb('types').notNullable();
    table.text('sealed_secret').notNullable();
    table.text('state').notNullable();
    table.text('reason');
    /** All events up to this one are dealt with. */
    table.bigInteger('cursor_seq').notNullable();
    table.bigInteger('failing_since_ms');
    table.integer('attempts').notNullable().defaultTo(0);
    table.bigInteger('due_at_ms').notNullable().defaultTo(0);
    /** Until then an api-server works on it. */
    table.bigInteger('lease_until_ms').notNullable().defaultTo(0);
    table.bigInteger('created_at_ms').notNullable();
    table.unique(['project_id', 'name']);
  });
  await knex.raw("create index webhooks_due on webhooks (due_at_ms) where state = 'active'");
  await knex.schema.createTable('webhook_deliveries', (table) => {
    table.specificType('id', 'bigint generated always as identity primary key');
    table.text('webhook_id').notNullable().references('webhooks.id').onDelete('cascade');
    table.bigInteger('at_ms').notNullable();
    table.bigInteger('first_seq').notNullable();
    table.bigInteger('last_seq').notNullable();
    table.integer('events').notNullable();
    table.integer('status');
    table.text('error');
    table.integer('duration_ms').notNullable();
    table.index(['webhook_id', 'id']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('webhook_deliveries');
  await knex.schema.dropTable('webhooks');
}

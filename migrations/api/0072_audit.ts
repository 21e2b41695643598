import type { Knex } from 'knex';

/** Who called what that may change something, and how it was answered. Rows are never changed. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('audit_log', (table) => {
    table.specificType('id', 'bigint generated always as identity primary key');
    table.bigInteger('at_ms').notNullable();
    table.text('organisation_id').notNullable();
    table.text('project_id').notNullable();
    table.text('actor').notNullable();
    table.text('role').notNullable();
    table.text('operation').notNullable();
    /** Of the path, by their names, and of what was made. */
    table.jsonb('subjects').notNullable();
    table.integer('status').notNullable();
    /** Of the problem that was the answer. */
    table.text('code');
    table.text('request_id').notNullable();
    table.text('address').notNullable();
    table.index(['organisation_id', 'id']);
  });
  await knex.raw(`create function audit_log_is_kept() returns trigger language plpgsql as $$
    begin raise exception 'the audit log is only added to'; end $$`);
  await knex.raw(`create trigger audit_log_is_kept before update on audit_log
    for each statement execute function audit_log_is_kept()`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('audit_log');
  await knex.raw('drop function audit_log_is_kept');
}

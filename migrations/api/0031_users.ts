import type { Knex } from 'knex';

/** Users, their sessions (only hashes of the tokens), and how often somebody failed to sign in. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('users', (table) => {
    table.text('id').primary();
    table.text('organisation_id').notNullable().references('organisations.id');
    table.text('email').notNullable();
    table.text('name').notNullable();
    table.boolean('disabled').notNullable().defaultTo(false);
    table.text('password_hash');
    /** An array of {organisationId, projectId, role}. */
    table.jsonb('memberships').notNullable().defaultTo('[]');
    table.text('oidc_subject').unique();
    table.bigInteger('created_at_ms').notNullable();
    table.unique(['organisation_id', 'email']);
  });
  await knex.schema.createTable('sessions', (table) => {
    table.text('id').primary();
    table.text('token_hash').notNullable().unique();
    table.text('user_id').notNullable().references('users.id').onDelete('cascade').index();
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('last_used_at_ms').notNullable();
    table.bigInteger('expires_at_ms').notNullable().index();
  });
  await knex.schema.createTable('login_attempts', (table) => {
    table.text('subject').primary();
    table.integer('failures').notNullable();
    table.bigInteger('last_at_ms').notNullable().index();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('login_attempts');
  await knex.schema.dropTable('sessions');
  await knex.schema.dropTable('users');
}

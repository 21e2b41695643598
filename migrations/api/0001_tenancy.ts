import type { Knex } from 'knex';

/** Who may use the factory: organisations, their projects, the projects' keys and subnets. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('organisations', (table) => {
    table.text('id').primary();
    table.text('name').notNullable().unique();
    table.bigInteger('created_at_ms').notNullable();
  });
  await knex.schema.createTable('projects', (table) => {
    table.text('id').primary();
    table.text('organisation_id').notNullable().references('organisations.id');
    table.text('name').notNullable();
    table.bigInteger('created_at_ms').notNullable();
    table.unique(['organisation_id', 'name']);
  });
  await knex.schema.createTable('api_keys', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id').index();
    table.text('name').notNullable();
    table.text('role').notNullable();
    /** AES-256-GCM, see the api-server's keys/secret-box.ts. */
    table.text('sealed_secret').notNullable();
    table.boolean('revoked').notNullable().defaultTo(false);
    table.bigInteger('created_at_ms').notNullable();
  });
  await knex.schema.createTable('subnets', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id');
    table.text('name').notNullable();
    table.text('cidr').notNullable();
    /** 24 bits, so that two subnets of the same range have different MAC addresses. */
    table.integer('mac_seed').notNullable();
    /** Where the search for a free address begins: just-released ones are used again last. */
    table.bigInteger('next_offset').notNullable();
    table.unique(['project_id', 'name']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('subnets');
  await knex.schema.dropTable('api_keys');
  await knex.schema.dropTable('projects');
  await knex.schema.dropTable('organisations');
}

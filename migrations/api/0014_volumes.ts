import type { Knex } from 'knex';

/** The users' volumes, and which of them batches and machines have. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('volumes', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable().references('projects.id');
    table.text('name').notNullable();
    table.text('kind').notNullable();
    table.integer('size_gib').notNullable();
    table.text('cluster_id').notNullable().references('clusters.id');
    table.text('state').notNullable();
    table.integer('lease_epoch').notNullable().defaultTo(1);
    table.bigInteger('used_bytes');
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('dropped_at_ms');
    table.bigInteger('dropped_seq');
  });
  await knex.raw(
    "create unique index volumes_name on volumes (project_id, name) where state <> 'deleted'",
  );
  await knex.raw(
    "create index volumes_of_cluster on volumes (cluster_id) where state <> 'deleted'",
  );
  for (const name of ['batches', 'vms']) {
    await knex.schema.alterTable(name, (table) => {
      table.jsonb('volumes').notNullable().defaultTo('[]');
    });
    await knex.raw(
      `create index ${name}_volumes on ${name} using gin (volumes jsonb_path_ops) where volumes <> '[]'`,
    );
  }
  await knex.schema.alterTable('batches', (table) => {
    table.text('volume_cluster_id');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumn('volume_cluster_id');
  });
  for (const name of ['batches', 'vms']) {
    await knex.schema.alterTable(name, (table) => {
      table.dropColumn('volumes');
    });
  }
  await knex.schema.dropTable('volumes');
}

import type { Knex } from 'knex';

/** Operations on all machines of a batch: one call, and a result for each machine. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('batch_operations', (table) => {
    table.text('id').primary();
    table.text('project_id').notNullable();
    table.text('batch_id').notNullable().references('batches.id').index();
    table.text('kind').notNullable();
    table.bigInteger('created_at_ms').notNullable().index();
    /** What the caller named the request, and a sum of it: sent again, it is the same operation. */
    table.text('idempotency_key');
    table.text('request_hash').notNullable();
    table.unique(['project_id', 'idempotency_key']);
  });
  await knex.schema.alterTable('operations', (table) => {
    table.text('parent_id').references('batch_operations.id').onDelete('cascade');
    /** Of a wish, such as to stop: it has ended when its machine has applied this generation. */
    table.integer('wish_generation');
    /** One that was refused at once was told to no cluster. */
    table.setNullable('cluster_id');
    table.index(['parent_id', 'id']);
  });
  await knex.raw(`create index operations_wishes on operations (vm_id)
    where state = 'running' and wish_generation is not null`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index operations_wishes');
  await knex.raw('delete from operations where parent_id is not null');
  await knex.schema.alterTable('operations', (table) => {
    table.dropIndex(['parent_id', 'id']);
    table.dropColumns('parent_id', 'wish_generation');
  });
  await knex.schema.dropTable('batch_operations');
}

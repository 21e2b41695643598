import type { Knex } from 'knex';

/** What organisations and projects may have. What they have is counted from the rows of it. */
export async function up(knex: Knex): Promise<void> {
  for (const table of ['organisations', 'projects']) {
    await knex.schema.alterTable(table, (each) => {
      /** `{vms?, vcpus?, …}`; what is left out has no limit. */
      each.jsonb('limits').notNullable().defaultTo('{}');
    });
  }
  await knex.schema.alterTable('batches', (table) => {
    /** `{vms, vcpus, memoryMiB, diskGiB}` at most, while its machines are not all planned. */
    table.jsonb('claim').notNullable().defaultTo('{}');
  });
  await knex.schema.alterTable('vms', (table) => {
    /** `{vcpus, memoryMiB, diskGiB, generation}`: its size until it has applied this wish. */
    table.jsonb('resized_from');
  });
  await knex.raw(
    `update batches set claim = jsonb_build_object(
       'vms', (size->>'count')::bigint,
       'vcpus', (size->>'count')::bigint * (size->'shape'->>'vcpus')::bigint,
       'memoryMiB', (size->>'count')::bigint * (size->'shape'->>'memoryMiB')::bigint,
       'diskGiB', (size->>'count')::bigint * disk_gib)
     where needs_planning and size->>'kind' = 'count'`,
  );
}

export async function down(knex: Knex): Promise<void> {
  for (const table of ['organisations', 'projects']) {
    await knex.schema.alterTable(table, (each) => each.dropColumn('limits'));
  }
  await knex.schema.alterTable('batches', (table) => table.dropColumn('claim'));
  await knex.schema.alterTable('vms', (table) => table.dropColumn('resized_from'));
}

import type { Knex } from 'knex';

/**
 * The orders in which lists are shown and filtered (store/postgres/list-filter.ts). By name as bytes:
 * the database's own order skips hyphens, so that a prefix is no range in it.
 */
export async function up(knex: Knex): Promise<void> {
  const shown = "where state <> 'deleted'";
  await knex.raw(`create index vms_by_name on vms (project_id, name collate "C", id) ${shown}`);
  await knex.raw(`create index vms_by_host on vms (project_id, host_name, id) ${shown}`);
  await knex.raw(`create index vms_by_image on vms (project_id, image, id) ${shown}`);
  await knex.raw(
    `create index batches_by_name on batches (project_id, name collate "C", id) ${shown}`,
  );
  await knex.raw('create index batches_labels on batches using gin (labels jsonb_path_ops)');
}

export async function down(knex: Knex): Promise<void> {
  for (const name of ['batches_labels', 'batches_by_name']) await knex.raw(`drop index ${name}`);
  for (const name of ['vms_by_image', 'vms_by_host', 'vms_by_name']) {
    await knex.raw(`drop index ${name}`);
  }
}

import type { Knex } from 'knex';

/** What machines read as depends on their clusters, too: lists and counts are made of these alone. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('create index vms_by_cluster_state on vms (project_id, cluster_id, state, id)');
  await knex.raw(`create index vms_by_batch_reading on vms (batch_id, state)
    include (guest_ready, cluster_id)`);
  // The one above does all that it did; an older server just uses that.
  await knex.raw('drop index vms_by_batch_state');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('create index vms_by_batch_state on vms (batch_id, state) include (guest_ready)');
  await knex.raw('drop index vms_by_batch_reading');
  await knex.raw('drop index vms_by_cluster_state');
}

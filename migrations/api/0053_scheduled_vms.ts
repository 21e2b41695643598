import type { Knex } from 'knex';

/** Machines that wait at their clusters are looked for at every sweep. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw("create index vms_scheduled on vms (cluster_id) where state = 'scheduled'");
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index vms_scheduled');
}

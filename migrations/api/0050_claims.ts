import type { Knex } from 'knex';

/** Up to where a cluster has asked for its commands: see docs/decisions/0038. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    /** Commands above it have never left an api-server. */
    table.bigInteger('claimed_seq').notNullable().defaultTo(0);
    /** Since when it leaves commands unclaimed; null while it asks for them. */
    table.bigInteger('silent_since_ms');
  });
  // What was answered before claims were kept may be anywhere.
  await knex.raw(
    'update clusters k set claimed_seq = l.last_seq from command_logs l where l.cluster_id = k.id',
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    table.dropColumn('silent_since_ms');
    table.dropColumn('claimed_seq');
  });
}

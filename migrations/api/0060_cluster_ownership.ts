import type { Knex } from 'knex';

/** Whose a cluster is, where it is, whether it takes machines, and how many of them at most. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('clusters', (table) => {
    /** The partner that it belongs to; null: the factory's own. */
    table.text('owner_organisation_id').references('organisations.id').index();
    table.text('region').notNullable().defaultTo('');
    table.jsonb('attributes').notNullable().defaultTo('{}');
    /** joining, active, draining, withdrawn or revoked. */
    table.text('state').notNullable().defaultTo('active');
    table.bigInteger('state_since_ms').notNullable().defaultTo(0);
    /** When the notice of its withdrawal ends. */
    table.bigInteger('notice_until_ms');
    /** `{vms, vcpus, memoryMiB}`: what is given to it at most; what is not named has no bound. */
    table.jsonb('caps').notNullable().defaultTo('{}');
    /** What its cluster-server says that it knows beyond version 1 of the link. */
    table.jsonb('features').notNullable().defaultTo('[]');
    /** The key that follows `public_key` as soon as it has signed something. */
    table.text('next_public_key');
    /** Since when it has been heard without a longer silence. */
    table.bigInteger('heard_since_ms').notNullable().defaultTo(0);
  });
  await knex.schema.alterTable('enrolment_tokens', (table) => {
    /** Null: made by an older release. */
    table.text('id').unique();
    table.text('owner_organisation_id').references('organisations.id');
    table.text('region').notNullable().defaultTo('');
    table.jsonb('attributes').notNullable().defaultTo('{}');
    table.jsonb('caps').notNullable().defaultTo('{}');
    /** Whether the cluster is active at once, without a conformance run. */
    table.boolean('is_trusted').notNullable().defaultTo(true);
    table.bigInteger('created_at_ms').notNullable().defaultTo(0);
    table.bigInteger('revoked_at_ms');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('enrolment_tokens', (table) => {
    table.dropColumns(
      ...['id', 'owner_organisation_id', 'region', 'attributes', 'caps', 'is_trusted'],
      ...['created_at_ms', 'revoked_at_ms'],
    );
  });
  await knex.schema.alterTable('clusters', (table) => {
    table.dropColumns(
      ...['owner_organisation_id', 'region', 'attributes', 'state', 'state_since_ms'],
      ...['notice_until_ms', 'caps', 'features', 'next_public_key', 'heard_since_ms'],
    );
  });
}

import type { Knex } from 'knex';

/** How much of a batch must be placed by when, and how long it is to last. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    /** `"all"`, `"bestEffort"` or `{atLeast}`; null: best effort, as it always was. */
    table.jsonb('fill');
    table.bigInteger('deadline_at_ms');
    /** Whether it is yet to be seen if the fill policy is met. */
    table.boolean('is_fill_open').notNullable().defaultTo(false);
    /** Why the batch as a whole has failed. */
    table.text('failure');
    table.bigInteger('expires_at_ms');
    table.bigInteger('warn_at_ms');
    table.bigInteger('warned_at_ms');
    /** What became of it, kept when it came to rest first. Not jsonb: the same bytes each time. */
    table.json('report');
  });
  await knex.raw('create index batches_fill_open on batches (deadline_at_ms) where is_fill_open');
  await knex.raw(
    `create index batches_expiring on batches (expires_at_ms)
     where expires_at_ms is not null and state not in ('deleting', 'deleted')`,
  );
  await knex.raw(
    `create index batches_to_warn on batches (warn_at_ms)
     where warn_at_ms is not null and warned_at_ms is null`,
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumns(
      ...(['fill', 'deadline_at_ms', 'is_fill_open', 'failure', 'report'] as const),
      ...(['expires_at_ms', 'warn_at_ms', 'warned_at_ms'] as const),
    );
  });
}

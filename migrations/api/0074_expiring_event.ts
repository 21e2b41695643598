import type { Knex } from 'knex';

/** That a batch ends soon is an event, too. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`create function batches_expiring_event() returns trigger language plpgsql as $$
    begin
      perform event_happened(new.project_id, 'batch.expiring', new.id,
        jsonb_build_object('name', new.name, 'expiresAt', to_char(
          to_timestamp(new.expires_at_ms / 1000.0) at time zone 'utc',
          'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')));
      return null;
    end $$`);
  await knex.raw(`create trigger batches_expiring_event after update of warned_at_ms on batches
    for each row when (new.warned_at_ms is not null and old.warned_at_ms is null)
    execute function batches_expiring_event()`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop trigger batches_expiring_event on batches');
  await knex.raw('drop function batches_expiring_event');
}

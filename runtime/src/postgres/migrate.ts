import type { Knex } from 'knex';

/** A number that only our migrations use: "FACTORY" in ASCII, as a 64-bit key. */
const MIGRATION_LOCK = '19775005802844761';
const LOCK_TIMEOUT_MS = 120_000;

/**
 * Brings the database up to date. Any number of processes may do this at once: one works, the
 * others wait up to two minutes and find nothing left to do. `source` is a directory of
 * migrations, or a knex migration source.
 * @returns the names of the migrations that this call applied.
 */
export async function migrate(
  knex: Knex,
  source: string | Knex.MigrationSource<unknown>,
): Promise<readonly string[]> {
  const config: Knex.MigratorConfig = {
    // A process of an older release may start beside newer ones, on their database: what they have
    // added does not concern it, as migrations only ever add (docs/decisions/0033).
    disableMigrationsListValidation: true,
    ...(typeof source === 'string'
      ? { directory: source, loadExtensions: ['.ts', '.js', '.mjs'] }
      : { migrationSource: source }),
  };
  return knex.transaction(async (lock) => {
    await lock.raw(`set local statement_timeout = ${LOCK_TIMEOUT_MS}`);
    await lock.raw('set local idle_in_transaction_session_timeout = 0');
    // Ends with this transaction, that is with this process at the latest.
    await lock.raw('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    // knex has a lock of its own in a table, which a killed process leaves behind for ever. We hold
    // the real lock, so whoever set that one is gone.
    await knex.migrate.forceFreeMigrationsLock(config);
    const [, applied] = await knex.migrate.latest(config);
    return applied;
  });
}

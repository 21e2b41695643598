import createKnex, { type Knex } from 'knex';
import pg from 'pg';
import { type Logger, silentLogger } from '../log.ts';
import { sqlStatements } from './statements.ts';

/** A 64-bit integer of the database doesn't fit a JavaScript number exactly. */
export class UnsafeIntegerError extends RangeError {
  readonly code = 'FACTORY_ERR_UNSAFE_INTEGER';
  constructor(text: string) {
    super(`${text} is beyond the integers that a number holds exactly`);
    this.name = 'UnsafeIntegerError';
  }
}

/** @throws UnsafeIntegerError rather than rounding. */
export function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new UnsafeIntegerError(text);
  return value;
}

const INT8_OID = 20;

/** Like pg's own types, but int8 as numbers (pg gives texts, because not all of them fit). */
const types: Knex.PgCustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === INT8_OID && format !== 'binary') return parseInt8;
    return pg.types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text');
  },
};

/**
 * A knex on PostgreSQL. Every wait has a bound: for a connection 10 s, for a statement
 * `statementTimeoutMs` (default 30 s), for an idle transaction 60 s. int8 columns are numbers; a
 * query that meets one too large fails with UnsafeIntegerError.
 * Every statement is counted (statements.ts).
 * `poolMax` is at least 2: migrations need a second connection beside the one with the lock.
 */
export function openKnex(
  url: string,
  options: {
    readonly poolMax?: number;
    readonly statementTimeoutMs?: number;
    /** Gets knex' own warnings; errors reach the caller anyway. */
    readonly logger?: Logger;
  } = {},
): Knex {
  const { poolMax = 10, statementTimeoutMs = 30_000, logger = silentLogger } = options;
  const knex = createKnex({
    client: 'pg',
    connection: {
      connectionString: url,
      types,
      connectionTimeoutMillis: 10_000,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 60_000,
      application_name: 'compute-factory',
    },
    pool: { min: 0, max: Math.max(2, poolMax) },
    acquireConnectionTimeout: 10_000,
    // Without these knex writes to standard output.
    log: {
      debug: (message: unknown) => logger.debug({ from: 'knex' }, String(message)),
      warn: (message: unknown) => logger.warn({ from: 'knex' }, String(message)),
      error: (message: unknown) => logger.warn({ from: 'knex' }, String(message)),
      deprecate: (method: string) => logger.warn({ from: 'knex', method }, 'deprecated method'),
    },
  });
  knex.on('query', () => sqlStatements.inc());
  return knex;
}

import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, statfs } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../clock.ts';
import { type Logger, silentLogger } from '../log.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts';
import { openKnex } from './knex.ts';
import { migrate } from './migrate.ts';

/** A PostgreSQL server for tests, shared by all test processes of this user. */
export interface TestPostgres {
  readonly url: (database: string) => string;
  /** Lets go of the server; the last one to do so stops it. */
  close(): Promise<void>;
}

/** A database for one test. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const LEASE = 'factory-test-lease';

/**
 * A server for tests, in memory when there is room, else in the system's temporary directory: not
 * durable, kept between runs so that only the first pays for initdb. It is shared between
 * processes: each holds a lease (an open connection), and `close` of the last one stops the server.
 * Use it in `beforeAll`/`afterAll`, and {@link createTestDatabase} in each test.
 */
export async function startTestPostgres(
  options: { readonly dataDirectory?: string; readonly logger?: Logger } = {},
): Promise<TestPostgres> {
  const { logger = silentLogger } = options;
  const name = `compute-factory-test-postgres-18-${userInfo().uid}`;
  const dataDirectory = options.dataDirectory ?? join(await fastDirectory(), name);
  for (let attempt = 1; ; attempt += 1) {
    const server = await startEmbeddedPostgres({
      dataDirectory,
      logger,
      clock: systemClock,
      durable: false,
      maxConnections: 200,
    });
    try {
      const lease = await takeLease(server);
      return { url: (database) => server.url(database), close: () => giveBack(server, lease) };
    } catch (error) {
      // Someone held the last lease and stopped the server between our two steps.
      if (attempt === 3) throw error;
    }
  }
}

const MEMORY_DIRECTORY = '/dev/shm';
const MEMORY_NEEDED_BYTES = 1024 ** 3;

/**
 * A database is some 300 files: 20 ms to copy in memory, 240 ms on ext4. Containers often have a
 * /dev/shm of 64 MiB, which would not do.
 */
async function fastDirectory(): Promise<string> {
  const room = await statfs(MEMORY_DIRECTORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  return room >= MEMORY_NEEDED_BYTES ? MEMORY_DIRECTORY : tmpdir();
}

async function takeLease(server: EmbeddedPostgres): Promise<pg.Client> {
  const connectionString = server.url('postgres');
  const lease = new pg.Client({ connectionString, application_name: LEASE });
  // A server that goes away ends the lease with it; the tests' own connections report that.
  lease.on('error', () => undefined);
  await lease.connect();
  return lease;
}

async function giveBack(server: EmbeddedPostgres, lease: pg.Client): Promise<void> {
  await server.stopUnless(async () => {
    const { rows } = await lease.query<{ others: string }>(
      `select count(*) as others from pg_stat_activity
       where application_name = $1 and pid <> pg_backend_pid()`,
      [LEASE],
    );
    await lease.end();
    return Number(rows[0]?.others) > 0;
  });
}

/**
 * A new database with all migrations of the directory `migrations` applied. They run once for each
 * content of that directory; further databases are copies of that template (about 20 ms).
 */
export async function createTestDatabase(
  server: TestPostgres,
  options: { readonly template: string; readonly migrations: string },
): Promise<TestDatabase> {
  const fingerprint = await fingerprintOf(options.migrations);
  const template = `template_${options.template}_${fingerprint}`;
  const name = `test_${options.template}_${randomUUID().replaceAll('-', '')}`;
  await withAdmin(server, async (admin) => {
    // One maker at a time, and no copies while a template is being made.
    await admin.query('select pg_advisory_lock(hashtext($1))', [template]);
    if (!(await exists(admin, template))) await makeTemplate(server, admin, template, options);
    await admin.query(`create database ${name} template ${admin.escapeIdentifier(template)}`);
  });
  return {
    url: server.url(name),
    drop: () =>
      withAdmin(server, async (admin) => {
        await admin.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

async function makeTemplate(
  server: TestPostgres,
  admin: pg.Client,
  template: string,
  options: { readonly migrations: string },
): Promise<void> {
  // Made under another name first: an interrupted making must not look like a template.
  const draft = `draft_${randomUUID().replaceAll('-', '')}`;
  await admin.query(`create database ${draft}`);
  const knex = openKnex(server.url(draft), { poolMax: 2 });
  try {
    await migrate(knex, options.migrations);
  } catch (error) {
    await knex.destroy();
    await admin.query(`drop database if exists ${draft} with (force)`);
    throw error;
  }
  await knex.destroy();
  await admin.query(`alter database ${draft} rename to ${admin.escapeIdentifier(template)}`);
}

async function exists(admin: pg.Client, database: string): Promise<boolean> {
  const found = await admin.query('select 1 from pg_database where datname = $1', [database]);
  return found.rowCount === 1;
}

async function withAdmin(
  server: TestPostgres,
  work: (admin: pg.Client) => Promise<void>,
): Promise<void> {
  const admin = new pg.Client({ connectionString: server.url('postgres') });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

/** Changes when any migration file does. */
async function fingerprintOf(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of (await readdir(directory)).toSorted()) {
    hash.update(`${file}\0`).update(await readFile(join(directory, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

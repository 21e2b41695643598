import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess, silentLogger, systemClock, waitFor } from '@factory/runtime';
import { openKnex, startTestPostgres } from '@factory/runtime/postgres';
import { describe, expect, it } from 'vitest';
import { clusterDatabaseUrl, openDatabases } from './databases.ts';

async function currentDatabase(url: string): Promise<unknown> {
  const knex = openKnex(url);
  try {
    const { rows } = await knex.raw('select current_database() as name');
    return rows[0]?.name;
  } finally {
    await knex.destroy();
  }
}

const embedded = { clock: systemClock, logger: silentLogger };

describe('with DATABASE_URL', () => {
  it('the api-server uses that database, and each cluster one beside it', async () => {
    const server = await startTestPostgres();
    const given = server.url('postgres');
    const databases = await openDatabases(
      { ...embedded, dataDirectory: '/nowhere' },
      { DATABASE_URL: given },
    );
    expect(databases.apiUrl).toBe(given);
    const url = await databases.clusterUrl(`test-${process.pid}`);
    expect(await currentDatabase(url)).toBe(`postgres_test_${process.pid}`);
    expect(await databases.clusterUrl(`test-${process.pid}`)).toBe(url);
    await databases.close();
    const knex = openKnex(given);
    await knex.raw('drop database ??', [`postgres_test_${process.pid}`]);
    await knex.destroy();
    await server.close();
  });

  it('keeps user, password and parameters', () => {
    const url = clusterDatabaseUrl('postgres://me:p%40ss@db:5433/farm?sslmode=require', 'north-2');
    expect(url).toBe('postgres://me:p%40ss@db:5433/farm_north_2?sslmode=require');
  });
});

describe('without DATABASE_URL', () => {
  it('a PostgreSQL of our own is started again when it is killed', async () => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'databases-'));
    const databases = await openDatabases({ ...embedded, dataDirectory }, {});
    const knex = openKnex(databases.apiUrl);
    const { rows } = await knex.raw("select pg_read_file('postmaster.pid') as text");
    const pid = Number.parseInt(rows[0].text, 10);
    await knex.destroy();
    process.kill(pid, 'SIGKILL');
    await waitFor(systemClock, 'its end', 10_000, async () =>
      (await identifyProcess(pid)) === undefined ? true : undefined,
    );
    const name = await waitFor(systemClock, 'the database to be back', 30_000, () =>
      currentDatabase(databases.apiUrl).catch(() => undefined),
    );
    expect(name).toBe('factory_api');
    await databases.close();
    await rm(dataDirectory, { recursive: true });
  }, 60_000);
});

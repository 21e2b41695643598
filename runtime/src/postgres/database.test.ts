import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, waitFor } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { openKnex } from './knex.ts';
import { migrate } from './migrate.ts';
import { listenForNotifications, notify } from './notifications.ts';
import {
  createTestDatabase,
  startTestPostgres,
  type TestDatabase,
  type TestPostgres,
} from './testing.ts';

const MIGRATIONS = fileURLToPath(new URL('../fixtures/migrations', import.meta.url));
const TEMPLATE = { template: 'runtime', migrations: MIGRATIONS };

let server: TestPostgres;
let database: TestDatabase;
let knex: Knex;
beforeAll(async () => {
  server = await startTestPostgres();
});
beforeEach(async () => {
  database = await createTestDatabase(server, TEMPLATE);
  knex = openKnex(database.url);
});
afterEach(async () => {
  await knex.destroy();
  await database.drop();
});
afterAll(() => server.close());

describe('createTestDatabase', () => {
  it('gives each test a migrated database of its own', async () => {
    const other = await createTestDatabase(server, TEMPLATE);
    const otherKnex = openKnex(other.url);
    await knex('things').insert({ name: 'mine' });
    expect(await otherKnex('things')).toEqual([]);
    await otherKnex.destroy();
    await other.drop();
    await expect(knex('things')).resolves.toHaveLength(1);
  });
});

describe('openKnex', () => {
  it('gives int8 as numbers, and refuses what a number can not hold', async () => {
    const { rows } = await knex.raw('select ?::int8 as value, count(*) from things', [2 ** 53 - 1]);
    expect(rows).toEqual([{ value: 2 ** 53 - 1, count: 0 }]);
    await expect(knex.raw('select 9007199254740993::int8')).rejects.toThrow('9007199254740993');
    expect((await knex.raw('select 1 as value')).rows).toEqual([{ value: 1 }]);
  });

  it('bounds statements and the wait for a connection', async () => {
    const impatient = openKnex(database.url, { statementTimeoutMs: 50 });
    await expect(impatient.raw('select pg_sleep(5)')).rejects.toThrow('statement timeout');
    await impatient.destroy();
  });
});

describe('migrate', () => {
  const slow: Knex.MigrationSource<string> = {
    getMigrations: async () => ['001_a', '002_b'],
    getMigrationName: (name) => name,
    getMigration: async (name) => ({
      up: async (db) => {
        await db.raw('select pg_sleep(0.05)');
        await db.raw('create table ?? ()', [name]);
      },
      down: async () => undefined,
    }),
  };
  let fresh: Knex;
  beforeEach(async () => {
    await knex.raw('create schema fresh');
    fresh = openKnex(`${database.url}?options=-csearch_path%3Dfresh`, { poolMax: 10 });
  });
  afterEach(() => fresh.destroy());

  it('is done once when several start at the same time', async () => {
    const results = await Promise.all([
      migrate(fresh, slow),
      migrate(fresh, slow),
      migrate(fresh, slow),
    ]);
    expect(results.flat().toSorted()).toEqual(['001_a', '002_b']);
    expect(await migrate(fresh, slow)).toEqual([]);
  });

  it("is not stopped by a dead process' lock", async () => {
    await migrate(fresh, { ...slow, getMigrations: async () => ['001_a'] });
    await fresh('knex_migrations_lock').update({ is_locked: 1 });
    expect(await migrate(fresh, slow)).toEqual(['002_b']);
  });

  it('lets a process of an older release start on what a newer one has made', async () => {
    expect(await migrate(fresh, slow)).toEqual(['001_a', '002_b']);
    expect(await migrate(fresh, { ...slow, getMigrations: async () => ['001_a'] })).toEqual([]);
  });

  it('changes nothing when a migration fails', async () => {
    const broken: Knex.MigrationSource<string> = {
      ...slow,
      getMigration: async () => ({
        up: async (db) => {
          await db.raw('create table half ()');
          throw new Error('broken migration');
        },
        down: async () => undefined,
      }),
    };
    await expect(migrate(fresh, broken)).rejects.toThrow('broken migration');
    expect(await fresh.schema.hasTable('half')).toBe(false);
    expect(await migrate(fresh, slow)).toEqual(['001_a', '002_b']);
  });

  it('reads migrations in TypeScript from a directory', async () => {
    expect(await migrate(fresh, MIGRATIONS)).toEqual(['001_things.ts']);
  });
});

describe('listenForNotifications', () => {
  it('hears payloads when their transaction commits, and comes back after a break', async () => {
    const heard: string[] = [];
    const ports = { clock: systemClock, logger: silentLogger };
    const listener = listenForNotifications(database.url, 'Odd-Name', (p) => heard.push(p), ports);
    await listener.listening;
    expect(heard).toEqual(['']);
    await knex.transaction(async (trx) => {
      await trx.raw('select 1');
      await notify(knex, 'Odd-Name', 'outside');
      await trx.raw('select pg_notify(?, ?)', ['Odd-Name', 'inside']);
    });
    const hears = (count: number) =>
      waitFor(systemClock, 'a notification', 5000, () =>
        heard.length >= count ? true : undefined,
      );
    await hears(3);
    expect(heard).toEqual(['', 'outside', 'inside']);
    const killed = await knex.raw(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'compute-factory-listener' and datname = current_database()`,
    );
    expect(killed.rows).toHaveLength(1);
    await hears(4);
    expect(heard.at(-1)).toBe('');
    await notify(knex, 'Odd-Name', 'again');
    await hears(5);
    await listener.close();
    await notify(knex, 'Odd-Name', 'unheard');
    expect(heard.at(-1)).toBe('again');
  });

  it('can be closed while it tries to connect', async () => {
    const ports = { clock: systemClock, logger: silentLogger };
    const listener = listenForNotifications(
      'postgres://127.0.0.1:1/x',
      'c',
      () => undefined,
      ports,
    );
    await listener.close();
  });
});

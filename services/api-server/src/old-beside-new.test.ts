import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { apiMigrations } from '@factory/migrations';
import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import {
  createTestDatabase,
  migrate,
  openKnex,
  startTestPostgres,
  type TestPostgres,
} from '@factory/runtime/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPostgresStore } from './store/postgres/index.ts';
import { capacityOf } from './testing/cluster.ts';
import { assignedIn, startFactory } from './testing/factory.ts';

/** As many migrations as a release adds at most. */
const NEWEST = 5;

let server: TestPostgres;
beforeAll(async () => {
  server = await startTestPostgres();
}, 120_000);
afterAll(() => server.close());

/** The migrations of a release that lacks the newest ones. */
async function olderMigrations() {
  const names = (await readdir(apiMigrations)).sort().slice(0, -NEWEST);
  return {
    getMigrations: async () => names,
    getMigrationName: (name: string) => name,
    getMigration: async (name: string) => import(join(apiMigrations, name)),
  };
}

it('an api-server that lacks the newest migrations starts and works beside one that has them', async () => {
  const migrations = { template: 'api', migrations: apiMigrations };
  const database = await createTestDatabase(server, migrations);
  const parts = { url: database.url, clock: systemClock, random: systemRandom, poolMax: 4 };
  const stores: { close(): Promise<void> }[] = [];
  const connect = () => {
    const store = createPostgresStore({ ...parts, logger: silentLogger });
    stores.push(store);
    return store;
  };
  const handle = { connect, drop: () => database.drop() };
  const knex = openKnex(database.url, { poolMax: 1 });
  expect(await migrate(knex, await olderMigrations())).toEqual([]);
  expect(await migrate(knex, apiMigrations)).toEqual([]);
  await knex.destroy();
  const [older, newer] = [await startFactory(handle), await startFactory(handle)];
  try {
    const cluster = await older.join('idc-1');
    const capacity = capacityOf(systemClock, 1, { vcpus: 8, memoryMiB: 4_096 });
    await cluster.exchange({ capacity });
    const request = { name: 'web', image: 'micro', count: 2, memoryMiB: 64 };
    const { id } = await newer.caller.ok('POST', '/v1/batches', request);
    expect(assignedIn(await cluster.exchange({}, 5_000))).toHaveLength(2);
    expect((await older.caller.ok('GET', `/v1/batches/${id}`)).vmCounts).toEqual({ scheduled: 2 });
  } finally {
    await Promise.all([older.close(), newer.close()]);
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  }
});

import { apiMigrations } from '@factory/migrations';
import { type Clock, type Random, silentLogger, systemRandom } from '@factory/runtime';
import {
  createTestDatabase,
  startTestPostgres,
  type TestPostgres,
} from '@factory/runtime/postgres';
import type { ApiStore } from '../store/api-store.ts';
import { createMemoryStore, MemoryDatabase } from '../store/memory/index.ts';
import { createPostgresStore } from '../store/postgres/index.ts';

/** One database, to which several processes may connect. */
export interface TestDatabaseHandle {
  connect(clock: Clock, random?: Random): ApiStore;
  drop(): Promise<void>;
}

/** A kind of store that tests run on. */
export interface StoreKind {
  readonly name: string;
  /** Before all tests; the result makes databases. */
  open(): Promise<{ create(): Promise<TestDatabaseHandle>; close(): Promise<void> }>;
}

const memoryKind: StoreKind = {
  name: 'in memory',
  open: async () => ({
    create: async () => {
      const database = new MemoryDatabase();
      return { connect: () => createMemoryStore(database), drop: async () => undefined };
    },
    close: async () => undefined,
  }),
};

const postgresKind: StoreKind = {
  name: 'on PostgreSQL',
  open: async () => {
    const server = await startTestPostgres();
    return { create: () => createDatabase(server), close: () => server.close() };
  },
};

async function createDatabase(server: TestPostgres): Promise<TestDatabaseHandle> {
  const database = await createTestDatabase(server, {
    template: 'api',
    migrations: apiMigrations,
  });
  const stores: ApiStore[] = [];
  return {
    connect: (clock, random = systemRandom) => {
      const { url } = database;
      const store = createPostgresStore({ url, clock, random, logger: silentLogger, poolMax: 6 });
      stores.push(store);
      return store;
    },
    drop: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await database.drop();
    },
  };
}

/** Every test of a store runs on each of these. */
export const STORE_KINDS: readonly StoreKind[] = [memoryKind, postgresKind];

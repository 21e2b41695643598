import { clusterMigrations } from '@factory/migrations';
import {
  createTestDatabase,
  openKnex,
  startTestPostgres,
  type TestPostgres,
} from '@factory/runtime/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterStore, createMemoryStore, createPostgresStore } from './store.ts';

let server: TestPostgres;
beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server.close());

interface Opened {
  readonly store: ClusterStore;
  readonly close: () => Promise<unknown>;
}

const memory = {
  name: 'in memory',
  open: async () => ({ store: createMemoryStore(), close: async () => undefined }),
};
const postgres = {
  name: 'in PostgreSQL',
  open: async () => {
    const migrations = clusterMigrations;
    const database = await createTestDatabase(server, { template: 'cluster', migrations });
    const knex = openKnex(database.url, { poolMax: 2 });
    const close = async () => {
      await knex.destroy();
      await database.drop();
    };
    return { store: createPostgresStore(knex), close };
  },
};

describe.each([memory, postgres])('a cluster store $name', ({ open }) => {
  it('keeps a key that is not enrolled yet', async () => {
    const { store, close }: Opened = await open();
    try {
      expect(await store.loadPrivateKey()).toBeUndefined();
      await store.savePrivateKey('PEM');
      expect(await store.loadPrivateKey()).toBe('PEM');
      expect(await store.loadIdentity()).toBeUndefined();
    } finally {
      await close();
    }
  });

  it('keeps who the cluster is and how far it has reported, each by itself', async () => {
    const { store, close }: Opened = await open();
    try {
      expect(await store.loadIdentity()).toBeUndefined();
      expect(await store.loadReportedRevision()).toBe(0);
      await store.saveReportedRevision(1_767_225_600_123);
      expect(await store.loadIdentity()).toBeUndefined();
      await store.saveIdentity({ clusterId: 'clu_1', privateKey: 'PEM' });
      await store.saveReportedRevision(1_767_225_600_124);
      expect(await store.loadIdentity()).toEqual({ clusterId: 'clu_1', privateKey: 'PEM' });
      expect(await store.loadReportedRevision()).toBe(1_767_225_600_124);
    } finally {
      await close();
    }
  });
});

import { clusterMigrations } from '@factory/migrations';
import {
  createTestDatabase,
  openKnex,
  startTestPostgres,
  type TestPostgres,
} from '@factory/runtime/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchedRecord, operationIdNumber, vmIdNumber } from '../testing/samples.ts';
import type { VmRecord } from '../vm-record.ts';
import { createMemoryStore } from './memory-store.ts';
import { createPostgresStore } from './postgres-store.ts';
import type { OperationRecord, SchedulerStore, StoreChanges } from './store.ts';

interface Kind {
  readonly name: string;
  readonly open: () => Promise<{ store: SchedulerStore; close: () => Promise<void> }>;
}

let server: TestPostgres;
beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server.close());

const memory: Kind = {
  name: 'in memory',
  open: async () => ({ store: createMemoryStore(), close: async () => undefined }),
};
const postgres: Kind = {
  name: 'in PostgreSQL',
  open: async () => {
    const migrations = clusterMigrations;
    const database = await createTestDatabase(server, { template: 'cluster', migrations });
    const knex = openKnex(database.url, { poolMax: 3 });
    const close = async () => {
      await knex.destroy();
      await database.drop();
    };
    return { store: createPostgresStore(knex), close };
  },
};

const NO_CHANGES: StoreChanges = {
  vms: [],
  operations: [],
  removedVmIds: [],
  removedOperationIds: [],
};

function vm(n: number, revision: number, changes: Partial<VmRecord> = {}): VmRecord {
  return { ...launchedRecord(n), revision, ...changes };
}

function operation(n: number, revision: number, output?: string): OperationRecord {
  const operationId = operationIdNumber(n);
  const request = { operationId, vmId: vmIdNumber(n), kind: 'readLog' } as const;
  const result =
    output === undefined
      ? null
      : ({ operationId, vmId: request.vmId, outcome: 'succeeded', message: '', output } as const);
  return { request, revision, createdAtMs: 1_700_000_000_000, result };
}

describe.each([memory, postgres])('a scheduler store $name', ({ open }) => {
  async function withStore(work: (store: SchedulerStore) => Promise<void>): Promise<void> {
    const { store, close } = await open();
    try {
      await work(store);
    } finally {
      await close();
    }
  }

  it('is empty at first, and keeps and forgets the id of the framework', () =>
    withStore(async (store) => {
      expect(await store.load()).toEqual({ frameworkId: undefined, vms: [], operations: [] });
      await store.saveFrameworkId('framework-1');
      await store.saveFrameworkId('framework-2');
      expect((await store.load()).frameworkId).toBe('framework-2');
      await store.saveFrameworkId(undefined);
      expect((await store.load()).frameworkId).toBeUndefined();
    }));

  it('gives back exactly what was saved, the newest of each', () =>
    withStore(async (store) => {
      const revision = 1_767_225_600_123;
      await store.save({ ...NO_CHANGES, vms: [vm(1, 1), vm(2, 2)], operations: [operation(1, 3)] });
      const newer = vm(1, revision, { phase: 'lost', reason: 'AGENT_LOST', message: 'naïve – ☂' });
      const done = operation(1, revision + 1, 'login: ');
      await store.save({ ...NO_CHANGES, vms: [newer], operations: [done] });
      const { vms, operations } = await store.load();
      expect(vms).toHaveLength(2);
      expect(vms).toEqual(expect.arrayContaining([vm(2, 2), newer]));
      expect(operations).toEqual([done]);
    }));

  it('forgets what was removed, also together with changes', () =>
    withStore(async (store) => {
      const operations = [operation(1, 3), operation(2, 4)];
      await store.save({ ...NO_CHANGES, vms: [vm(1, 1), vm(2, 2)], operations });
      await store.save({
        vms: [vm(3, 5)],
        operations: [],
        removedVmIds: [vmIdNumber(1), vmIdNumber(9)],
        removedOperationIds: [operationIdNumber(2)],
      });
      const stored = await store.load();
      expect(stored.vms.map((record) => record.assignment.vmId).toSorted()).toEqual([
        vmIdNumber(2),
        vmIdNumber(3),
      ]);
      expect(stored.operations).toEqual([operation(1, 3)]);
    }));

  it('takes whatever a serial console prints', () =>
    withStore(async (store) => {
      const output = 'boot\0 \ud83d half a pair, \\u0000 by name';
      await store.save({ ...NO_CHANGES, operations: [operation(1, 1, output)] });
      const [loaded] = (await store.load()).operations;
      expect(loaded?.result?.output).toContain('\\u0000 by name');
    }));

  it('saves a thousand VMs in one go', () =>
    withStore(async (store) => {
      const vms = Array.from({ length: 1_000 }, (_, n) => vm(n, n));
      await store.save({ ...NO_CHANGES, vms });
      expect((await store.load()).vms).toHaveLength(1_000);
    }));
});

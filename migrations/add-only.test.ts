import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createTestDatabase,
  openKnex,
  startTestPostgres,
  type TestPostgres,
} from '@factory/runtime/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { narrowings, readSchema, type Schema } from './add-only.ts';
import { apiMigrations, clusterMigrations } from './index.ts';

/** Steps that narrow what may be written, and why no release that is in use minds. */
const EXCEPTIONS: Readonly<Record<string, string>> = {};

describe('migrations', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startTestPostgres();
  }, 120_000);
  afterAll(() => server.close());

  it.each([
    ['of the api-server', apiMigrations],
    ['of clusters', clusterMigrations],
  ])('%s only add: the release before goes on beside them', async (_whose, directory) => {
    const nothing = await mkdtemp(join(tmpdir(), 'no-migrations-'));
    const database = await createTestDatabase(server, { template: 'empty', migrations: nothing });
    const knex = openKnex(database.url, { poolMax: 1 });
    try {
      const found: string[] = [];
      let before = await readSchema(knex);
      for (const file of (await readdir(directory)).sort()) {
        const migration: { up(knex: unknown): Promise<void> } = await import(join(directory, file));
        await migration.up(knex);
        const after = await readSchema(knex);
        const name = file.replace(/\.ts$/, '');
        found.push(...narrowings(before, after).map((each) => `${name}: ${each}`));
        before = after;
      }
      expect(found.filter((each) => EXCEPTIONS[each] === undefined)).toEqual([]);
      expect(before.tables.size).toBeGreaterThan(0);
    } finally {
      await knex.destroy();
      await database.drop();
      await rm(nothing, { recursive: true });
    }
  });

  it('that are excepted each say why', () => {
    for (const [what, why] of Object.entries(EXCEPTIONS)) expect(why, what).toMatch(/^[A-Z].*\.$/);
  });
});

describe('a step of a schema', () => {
  const text = { type: 'text', isNullable: false, hasDefault: false };
  const schema = (columns: Readonly<Record<string, typeof text>>, unique: readonly string[] = []) =>
    ({
      tables: new Map([['vms', new Map(Object.entries(columns))]]),
      constraints: new Map(
        unique.map((each) => [`vms.${each}`, { table: 'vms', says: each, columns: [each] }]),
      ),
    }) satisfies Schema;
  const before = schema({ id: text, name: { ...text, isNullable: true } });
  const name = { ...text, isNullable: true };

  it.each<[string, Schema, number]>([
    ['adds a column that may be null', schema({ id: text, name, more: { ...name } }), 0],
    ['adds one with a default', schema({ id: text, name, more: { ...text, hasDefault: true } }), 0],
    ['adds one that must be given', schema({ id: text, name, more: text }), 1],
    ['drops a column', schema({ id: text }), 1],
    ['renames a column', schema({ id: text, title: name }), 1],
    ['changes a type', schema({ id: { ...text, type: 'uuid' }, name }), 1],
    ['forbids what was allowed', schema({ id: text, name: text }), 1],
    ['makes a known column unique', schema({ id: text, name }, ['name']), 1],
    ['makes a new one unique', schema({ id: text, name, more: name }, ['more']), 0],
    ['drops the table', { tables: new Map(), constraints: new Map() }, 1],
  ])('that %s', (_what, after, count) => {
    expect(narrowings(before, after)).toHaveLength(count);
  });
});

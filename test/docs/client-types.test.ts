import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiServer, createMemoryStore, MemoryJobQueue } from '@factory/api-server';
import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { expect, it } from 'vitest';
import { clientTypes } from './client-types.ts';

const FILE = join(import.meta.dirname, '../../contracts/src/api.generated.ts');

it('the types of the client are those of the OpenAPI document (FACTORY_WRITE_DOCS=1 writes them)', async () => {
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const { app } = await createApiServer({
    ...parts,
    store: createMemoryStore(),
    jobs: new MemoryJobQueue(systemClock, silentLogger),
    internalToken: 'a-token-of-a-test',
    secretKey: '42'.repeat(32),
    subnetCidr: '10.80.0.0/16',
  });
  const types = clientTypes((await app.inject('/openapi.json')).json());
  await app.close();
  if (process.env.FACTORY_WRITE_DOCS === '1') await writeFile(FILE, types);
  expect(await readFile(FILE, 'utf8')).toBe(types);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { layoutOf } from '../supervisor/layout.ts';
import { NotRunningError, readConnection } from './connection.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'factory-connection-'));
  for (const name of ['FACTORY_URL', 'FACTORY_KEY_ID', 'FACTORY_SECRET'])
    vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

it('a connection comes from what the local factory wrote', async () => {
  const layout = layoutOf('/opt/factory', directory);
  await expect(readConnection(layout)).rejects.toBeInstanceOf(NotRunningError);
  const endpoints = { gateway: 'http://127.0.0.1:8080', console: '', clusters: [] };
  await writeFile(layout.endpointsFile, JSON.stringify(endpoints));
  await expect(readConnection(layout)).rejects.toThrow('key pair');
  await writeFile(layout.credentialsFile, JSON.stringify({ keyId: 'key_1', secret: 's' }));
  expect(await readConnection(layout)).toEqual({
    url: 'http://127.0.0.1:8080',
    keyId: 'key_1',
    secret: 's',
  });
});

it('the environment goes before it, when it is complete', async () => {
  const layout = layoutOf('/opt/factory', directory);
  vi.stubEnv('FACTORY_URL', 'https://factory.example/');
  vi.stubEnv('FACTORY_KEY_ID', 'key_2');
  await expect(readConnection(layout)).rejects.toBeInstanceOf(NotRunningError);
  vi.stubEnv('FACTORY_SECRET', 't');
  const expected = { url: 'https://factory.example', keyId: 'key_2', secret: 't' };
  expect(await readConnection(layout)).toEqual(expected);
});

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@factory/runtime/simulated';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMesosRoutes } from '../http/mesos-http.ts';
import { allowAll } from '../security/index.ts';
import { addFilesRoutes, type FilesApi } from './endpoints.ts';
import { listFiles, readFile } from './files-calls.ts';
import { VirtualFiles } from './virtual-files.ts';

let directory: string;
let app: FastifyInstance;
let api: FilesApi;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'files-'));
  await mkdir(join(directory, 'sandbox', 'sub'), { recursive: true });
  await writeFile(join(directory, 'sandbox', 'stdout'), 'hello world');
  await writeFile(join(directory, 'secret'), 'secret');
  await symlink(join(directory, 'secret'), join(directory, 'sandbox', 'out'));
  await symlink('stdout', join(directory, 'sandbox', 'in'));
  const attached = { path: '/run/latest', real: join(directory, 'sandbox'), user: 'ann' };
  api = {
    clock: new VirtualClock(),
    files: new VirtualFiles(() => [attached]),
    authorizer: allowAll,
    allows: (principal, { user }) => principal === undefined || principal === user,
  };
  app = fastify();
  addMesosRoutes(app, (scope) => addFilesRoutes(scope, api));
});

afterEach(async () => {
  await app.close();
  await rm(directory, { recursive: true });
});

async function get(url: string) {
  const { statusCode, body } = await app.inject(url);
  return { statusCode, body };
}

describe('/files', () => {
  it('shows what is in an attached folder, as ls does', async () => {
    const entries: { path: string; mode: string; size: number }[] = JSON.parse(
      (await get('/files/browse?path=/run/latest')).body,
    );
    expect(entries.map(({ path }) => path)).toEqual([
      ...['/run/latest/in', '/run/latest/out', '/run/latest/stdout', '/run/latest/sub'],
    ]);
    expect(entries[2]).toMatchObject({ mode: expect.stringMatching(/^-rw/), size: 11, nlink: 1 });
    expect(entries[3]?.mode).toMatch(/^drwx/);
  });

  it('reads parts of a file, and tells its size to who does not say from where', async () => {
    const path = '/files/read.json?path=/run/latest/stdout';
    expect(JSON.parse((await get(path)).body)).toEqual({ data: '', offset: 11 });
    expect(JSON.parse((await get(`${path}&offset=6&length=3`)).body)).toEqual({
      ...{ data: 'wor', offset: 6 },
    });
    expect(JSON.parse((await get(`${path}&offset=100`)).body)).toEqual({ data: '', offset: 100 });
    expect((await get(`${path}&offset=-2`)).statusCode).toBe(400);
    expect((await get(`${path}&offset=x`)).statusCode).toBe(400);
  });

  it('gives whole files away, and tells what is attached', async () => {
    const answer = await app.inject('/files/download?path=/run/latest/stdout');
    expect(answer.body).toBe('hello world');
    expect(answer.headers['content-disposition']).toBe('attachment; filename=stdout');
    const debug = JSON.parse((await get('/files/debug')).body);
    expect(debug).toEqual({ '/run/latest': join(directory, 'sandbox') });
  });

  it('follows links inside of what is attached, and never leads out of it', async () => {
    expect((await get('/files/read?path=/run/latest/in&offset=0')).body).toContain('hello');
    for (const path of ['out', '../secret', '../../secret', '%2e%2e/secret', 'sub/../../secret']) {
      const { statusCode, body } = await get(`/files/read?path=/run/latest/${path}&offset=0`);
      expect([path, statusCode >= 400, body.includes('secret"')]).toEqual([path, true, false]);
    }
    expect((await get('/files/browse?path=/etc')).statusCode).toBe(404);
    expect((await get('/files/browse')).statusCode).toBe(400);
  });

  it('is the same in the operator API, for those who may look', async () => {
    const { list_files } = await listFiles(api, { path: '/run/latest' }, 'ann');
    expect(list_files.file_infos).toHaveLength(4);
    const { read_file } = await readFile(api, { path: '/run/latest/stdout', offset: 6 }, 'ann');
    expect(read_file).toEqual({ size: 11, data: Buffer.from('world').toString('base64') });
    await expect(listFiles(api, { path: '/run/latest' }, 'bob')).rejects.toMatchObject({
      status: 403,
    });
    await expect(listFiles(api, { path: '/nothing' }, 'bob')).rejects.toMatchObject({
      status: 404,
    });
  });
});

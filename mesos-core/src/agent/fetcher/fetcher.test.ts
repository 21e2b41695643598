import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, type HttpTransport, systemClock } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandInfoURI } from '../../protocol/index.ts';
import { leadsOut } from './archive.ts';
import { createFetcher, type Fetcher, type FetcherOptions } from './fetcher.ts';

let directory: string;
let sandbox: string;
let server: Server;
let port: number;
let transport: HttpTransport;
let requests: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fetcher-'));
  sandbox = join(directory, 'runs', 'c');
  await mkdir(join(directory, 'home'));
  transport = createUndiciTransport();
  requests = [];
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end();
    else if (request.url === '/stalls') response.writeHead(200).write('a little');
    else if (request.url === '/missing') response.writeHead(404).end();
    else response.end(`content of ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

function fetcherWith(changes: Partial<FetcherOptions> = {}): Fetcher {
  return createFetcher({
    ...{ clock: systemClock, transport, frameworksHome: join(directory, 'home') },
    ...{ cacheDirectory: join(directory, 'cache'), cacheBytesMax: 1000 },
    ...{ stallTimeoutMs: 5000, timeoutMs: 20_000, bytesMax: 1_000_000 },
    ...changes,
  });
}

function fetchInto(fetcher: Fetcher, ...uris: readonly CommandInfoURI[]): Promise<void> {
  return fetcher.fetch({ containerId: 'c', directory: sandbox, uris, owner: undefined });
}

function web(path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

function read(name: string): Promise<string> {
  return readFile(join(sandbox, name), 'utf8');
}

describe('the fetcher', () => {
  it('brings files of the host and of the web, under their names or others', async () => {
    await writeFile(join(directory, 'home', 'tool'), 'a tool');
    await fetchInto(
      fetcherWith(),
      { value: join(directory, 'home', 'tool') },
      { value: `file://${directory}/home/tool`, output_file: 'by-url' },
      { value: 'tool', output_file: 'bin/relative', executable: true },
      { value: web('/moved') },
    );
    expect(await read('tool')).toBe('a tool');
    expect(await read('by-url')).toBe('a tool');
    expect(await read('bin/relative')).toBe('a tool');
    expect((await stat(join(sandbox, 'bin/relative'))).mode & 0o777).toBe(0o755);
    expect(await read('moved')).toBe('content of /file');
    expect(await read('stderr')).toContain(`Fetched '${web('/moved')}' to`);
    expect(await readdir(join(directory, 'runs'))).toEqual(['c']);
  });

  it.each([
    ['a.tar', ['tar', '-cf']],
    ['a.tar.gz', ['tar', '-czf']],
    ['a.tgz', ['tar', '-czf']],
    ['a.tar.bz2', ['tar', '-cjf']],
    ['a.txz', ['tar', '-cJf']],
    ['a.zip', ['zip', '-q']],
  ])('unpacks %s', async (name, [tool = '', ...flags]) => {
    await writeFile(join(directory, 'home', 'inside'), 'unpacked');
    execFileSync(tool, [...flags, name, 'inside'], { cwd: join(directory, 'home') });
    await fetchInto(
      fetcherWith(),
      { value: name },
      { value: name, output_file: 'kept', extract: false },
    );
    expect(await read('inside')).toBe('unpacked');
  });

  it('refuses an archive with a name that leads out of the sandbox', async () => {
    const home = join(directory, 'home');
    await writeFile(join(home, 'inside'), 'evil');
    execFileSync('tar', ['-cf', 'evil.tar', '--transform', 's|^|../|', '-P', 'inside'], {
      cwd: home,
    });
    await expect(fetchInto(fetcherWith(), { value: 'evil.tar' })).rejects.toThrow(/leads out/);
    expect(await readdir(join(directory, 'runs'))).toEqual(['c']);
    expect(['a/..', '../a', '/a', 'a/../../b'].map(leadsOut)).toEqual([true, true, true, true]);
    expect(['a', 'a..b/c', './a'].map(leadsOut)).toEqual([false, false, false]);
  });

  it('does not follow links that an archive has left', async () => {
    const home = join(directory, 'home');
    await symlink(home, join(home, 'link'));
    await symlink('/nonexistent/log', join(home, 'stdout'));
    execFileSync('tar', ['-cf', 'links.tar', 'link', 'stdout'], { cwd: home });
    await writeFile(join(home, 'file'), 'evil');
    const uris = [{ value: 'links.tar' }, { value: 'file', output_file: 'link/evil' }];
    await expect(fetchInto(fetcherWith(), ...uris)).rejects.toThrow(/leads out of the sandbox/);
    expect(await readdir(home)).not.toContain('evil');
    await rm(sandbox, { recursive: true });
    await fetchInto(fetcherWith(), { value: 'links.tar' });
    expect(await readdir(sandbox)).not.toContain('stdout');
  });

  it('says what it could not fetch', async () => {
    const failing = fetchInto(fetcherWith(), { value: web('/missing') });
    await expect(failing).rejects.toThrow(
      `Failed to fetch all URIs for container 'c': Error downloading resource ` +
        `'${web('/missing')}', received HTTP 404`,
    );
    expect(await read('stderr')).toContain('received HTTP 404');
    await expect(fetchInto(fetcherWith(), { value: '/no/such/file' })).rejects.toThrow(
      /No such file/,
    );
  });

  it('gives up on what is too large, or stops coming', async () => {
    const small = fetcherWith({ bytesMax: 5 });
    await expect(fetchInto(small, { value: web('/file') })).rejects.toThrow(/larger than 5 bytes/);
    const impatient = fetcherWith({ stallTimeoutMs: 100 });
    await expect(fetchInto(impatient, { value: web('/stalls') })).rejects.toThrow(/sent nothing/);
    expect(await readdir(sandbox)).toEqual(['stderr']);
  });

  it('compares a file with its checksum', async () => {
    const sha256 = createHash('sha256').update('content of /file').digest('hex');
    await fetchInto(fetcherWith(), { value: `${web('/file')}#sha256=${sha256}` });
    const wrong = { value: `${web('/file')}#sha256=${'0'.repeat(64)}` };
    await expect(fetchInto(fetcherWith(), wrong)).rejects.toThrow(`SHA-256 ${sha256}`);
  });

  it('downloads a cached file once for all who want it, and again when it had to go', async () => {
    const fetcher = fetcherWith({ cacheBytesMax: 20 });
    const cached = (path: string) => ({ value: web(path), cache: true });
    const fetchAs = (id: string, path: string) =>
      fetcher.fetch({
        ...{ containerId: id, directory: join(directory, 'runs', id), owner: undefined },
        uris: [cached(path)],
      });
    await Promise.all(['a', 'b', 'c'].map((id) => fetchAs(id, '/one')));
    await fetchAs('d', '/one');
    expect(requests).toEqual(['/one']);
    await fetchAs('e', '/two');
    await fetchAs('f', '/one');
    expect(requests).toEqual(['/one', '/two', '/one']);
    expect(await readFile(join(directory, 'runs', 'f', 'one'), 'utf8')).toBe('content of /one');
    // Larger than the whole cache: fetched all the same, and not kept.
    const tiny = fetcherWith({ cacheBytesMax: 3 });
    await fetchInto(tiny, cached('/three'));
    expect(await read('three')).toBe('content of /three');
    expect(await readdir(join(directory, 'cache'))).toEqual([]);
  });

  it.runIf(process.geteuid?.() === 0)('reads files of the host only as the user', async () => {
    await chmod(directory, 0o755);
    const secret = join(directory, 'home', 'secret');
    await writeFile(secret, 'secret', { mode: 0o600 });
    const owner = { uid: 65_534, gid: 65_534 };
    const fetchAsNobody = (uri: CommandInfoURI) =>
      fetcherWith().fetch({ containerId: 'c', directory: sandbox, uris: [uri], owner });
    await expect(fetchAsNobody({ value: secret })).rejects.toThrow(/Permission denied/);
    await fetchAsNobody({ value: web('/file') });
    expect((await stat(join(sandbox, 'file'))).uid).toBe(65_534);
  });
});

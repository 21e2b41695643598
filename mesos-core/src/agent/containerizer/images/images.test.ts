import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createUndiciTransport, silentLogger } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeImage, makeImage, tarOf } from '../testing/busybox.ts';
import { parseDockerConfig, type RegistryCredentials } from './docker-config.ts';
import { ImageStore } from './image-store.ts';
import { inspectLayer } from './layer.ts';
import { parseReference } from './reference.ts';
import { RegistryClient } from './registry-client.ts';
import { type TarEntry, tarEntries } from './tar-entries.ts';

const run = promisify(execFile);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'images-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the name of an image', () => {
  it('is taken apart as Docker does', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const none = { registry: undefined, digest: undefined };
    expect(parseReference('busybox')).toEqual({ ...none, repository: 'busybox', tag: 'latest' });
    expect(parseReference('a/b:1.2')).toEqual({ ...none, repository: 'a/b', tag: '1.2' });
    expect(parseReference(`host:5000/a/b:t@${digest}`)).toEqual({
      ...{ registry: 'host:5000', repository: 'a/b', tag: 't', digest },
    });
    expect(parseReference('localhost/a')).toMatchObject({ registry: 'localhost', repository: 'a' });
  });

  it.each(['', '../../etc', 'a/../b', 'A', 'a:b:c', 'a@sha256:1', '/etc', 'a b'])(
    'is not %j',
    (name) => {
      expect(() => parseReference(name)).toThrow(/not the name of an image/);
    },
  );
});

async function* from(entries: readonly Partial<TarEntry>[]): AsyncGenerator<TarEntry> {
  for (const entry of entries) {
    yield { path: 'a', type: '0', linkTarget: '', sizeBytes: 0, ...entry };
  }
}

describe('a layer', () => {
  it.each([
    [{ path: '../outside' }],
    [{ path: 'a/../../outside' }],
    [{ path: '/../outside' }],
    [{ path: 'a', type: '1', linkTarget: '../../etc/passwd' }],
  ])('is refused when it holds %j', async (entry) => {
    await expect(inspectLayer(from([entry]))).rejects.toThrow(/leads out/);
  });

  it('is refused when it is too large', async () => {
    const limits = { bytesMax: 10, entriesMax: 5 };
    await expect(inspectLayer(from([{ sizeBytes: 11 }]), limits)).rejects.toThrow(/more than/);
    await expect(inspectLayer(from(new Array(6).fill({})), limits)).rejects.toThrow(/more than/);
  });

  it('says what it takes away', async () => {
    const entries = [{ path: './a/.wh.b' }, { path: 'c/.wh..wh..opq' }, { path: 'd' }];
    expect(await inspectLayer(from(entries))).toEqual({ whiteouts: ['a/b'], opaque: ['c'] });
    await expect(inspectLayer(from([{ path: '.wh...' }]))).rejects.toThrow(/leads out/);
  });

  it('is read with long names, links and sizes as tar writes them', async () => {
    const long = 'x'.repeat(150);
    const tree = join(directory, 'tree');
    await mkdir(join(tree, long), { recursive: true });
    await writeFile(join(tree, long, long), 'content');
    for (const format of ['gnu', 'pax', 'ustar']) {
      const file = join(directory, `${format}.tar`);
      await run('tar', ['-c', `--format=${format}`, '-f', file, '-C', tree, '.']).catch(
        () => undefined,
      );
      const found: TarEntry[] = [];
      const chunks = (async function* () {
        // In small pieces: nothing may depend on where they are cut.
        const bytes = await readFile(file);
        for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
      })();
      for await (const entry of tarEntries(chunks)) found.push(entry);
      const last = found.at(-1);
      if (format !== 'ustar') expect(last?.path).toBe(`./${long}/${long}`);
      if (format !== 'ustar') expect(last?.sizeBytes).toBe(7);
    }
  });

  it('is refused when it is no archive', async () => {
    const chunks = (async function* () {
      yield Buffer.alloc(1024, 7);
    })();
    await expect(tarEntries(chunks).next()).rejects.toThrow(
      /in the layer is wrong|not a tar archive/,
    );
  });
});

describe('images of a registry', () => {
  let server: Server;
  let registry: string;
  let image: FakeImage;
  let requests: string[];
  let wanted: { readonly challenge: 'basic' | 'bearer'; readonly basic: string } | undefined;
  let corrupt: string | undefined;
  const transport = createUndiciTransport();

  beforeEach(async () => {
    await mkdir(join(directory, 'tree'));
    await writeFile(join(directory, 'tree', 'file'), 'in the image');
    await tarOf(join(directory, 'tree'), join(directory, 'layer.tar'));
    image = await makeImage([join(directory, 'layer.tar')], { Env: ['A=1'], WorkingDir: '/w' });
    requests = [];
    corrupt = undefined;
    wanted = undefined;
    server = createServer((request, response) => {
      const url = request.url ?? '';
      requests.push(url);
      const { authorization } = request.headers;
      if (url.startsWith('/token')) {
        if (wanted !== undefined && authorization !== wanted.basic) response.statusCode = 401;
        response.end(JSON.stringify({ token: 'secret' }));
        return;
      }
      if (url.startsWith('/cdn/')) {
        // A token must not get here.
        const bytes = image.blobs.get(url.slice(5));
        response.statusCode = request.headers.authorization === undefined ? 200 : 400;
        response.end(url.slice(5) === corrupt ? Buffer.alloc(bytes?.length ?? 0) : bytes);
        return;
      }
      const isBasic = wanted?.challenge === 'basic';
      if (authorization !== (isBasic ? wanted?.basic : 'Bearer secret')) {
        const bearer = `Bearer realm="${registryUrl()}/token",service="s",scope="repository:a/b:pull"`;
        const challenge = isBasic ? 'Basic realm="here"' : bearer;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
        return;
      }
      const [, kind, name = ''] = /^\/v2\/a\/b\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
      if (kind === 'blobs') response.writeHead(307, { location: `/cdn/${name}` }).end();
      else if (kind === 'manifests')
        response.end(image.blobs.get(name === '1' ? image.index : name));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    registry = registryUrl().replace('http://', '');
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  function registryUrl(): string {
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  function store(credentials?: RegistryCredentials): ImageStore {
    const client = new RegistryClient({ transport, defaultUrl: registryUrl(), credentials });
    return new ImageStore({
      ...{ logger: silentLogger, directory: join(directory, 'store') },
      origin: { kind: 'registry', client },
    });
  }

  it('are got with a token, for this architecture, and kept', async () => {
    const provided = await store().provide(`${registry}/a/b:1`);
    expect(provided.config).toMatchObject({ environment: { A: '1' }, directory: '/w' });
    const [layer = ''] = provided.layers;
    expect(await readFile(join(layer, 'file'), 'utf8')).toBe('in the image');
    const before = requests.length;
    expect(await store().provide(`${registry}/a/b:1`)).toEqual(provided);
    // The registry's own name is the default one: the layer is shared.
    expect((await store().provide('a/b:1')).layers).toEqual(provided.layers);
    expect(requests.slice(before).filter((url) => url.includes('/cdn/')).length).toBe(1);
  });

  it('are refused when a blob is not what its digest says, and nothing is kept', async () => {
    const manifest = JSON.parse(String(image.blobs.get(image.manifest)));
    corrupt = manifest.layers[0].digest;
    await expect(store().provide('a/b:1')).rejects.toThrow(/not what its digest says/);
    expect(await readdir(join(directory, 'store', 'layers'))).toEqual([]);
    expect(await readdir(join(directory, 'store', 'staging'))).toEqual([]);
  });

  it('are pruned but for those that are kept', async () => {
    const images = store();
    const { layers } = await images.provide('a/b:1');
    await images.prune(new Set(['a/b:1']));
    expect((await images.provide('a/b:1')).layers).toEqual(layers);
    await images.prune(new Set());
    expect(await readdir(join(directory, 'store', 'layers'))).toEqual([]);
  });

  it('are got with credentials: by basic authentication, or for a token', async () => {
    const basic = `Basic ${Buffer.from('me:my secret').toString('base64')}`;
    const config = { auths: { [registry]: { auth: basic.slice('Basic '.length) } } };
    const credentials = parseDockerConfig(JSON.stringify(config));
    const older = { [`http://${registry}/v1/`]: { username: 'me', password: 'my secret' } };
    expect(parseDockerConfig(JSON.stringify(older))).toEqual(credentials);
    for (const challenge of ['basic', 'bearer'] as const) {
      wanted = { challenge, basic };
      await expect(store().provide('a/b:1', false)).rejects.toThrow(
        /wants credentials|no token: 401/,
      );
      const provided = await store(credentials).provide('a/b:1', false);
      expect(provided.layers).toHaveLength(1);
      expect(await store().provide('a/b:1', false, credentials)).toEqual(provided);
    }
  });

  it('that are not there are told so', async () => {
    await expect(store().provide('a/c:1')).rejects.toThrow(/answered 404/);
  });
});

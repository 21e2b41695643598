import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { networkProbes } from './network-probes.ts';

const run = promisify(execFile);
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => server.close(resolve));
  }
});

async function portOf<T extends Server>(server: T, host = '127.0.0.1'): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function http(port: number, path: string): Promise<number> {
  const probe = { kind: 'http', scheme: 'http', port, path, protocol: 'IPv4' } as const;
  return networkProbes.http(probe, '127.0.0.1', AbortSignal.timeout(5000));
}

function tcp(port: number, signal = AbortSignal.timeout(5000)): Promise<boolean> {
  return networkProbes.tcp({ kind: 'tcp', port, protocol: 'IPv4' }, '127.0.0.1', signal);
}

describe('a look over the network', () => {
  it('gives the status of an answer, and follows redirects', async () => {
    const port = await portOf(
      createHttpServer((request, response) => {
        if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
        else response.writeHead(request.url === '/new' ? 200 : 503).end('a body');
      }),
    );
    expect(await http(port, '/new')).toBe(200);
    expect(await http(port, 'old')).toBe(200);
    expect(await http(port, '/else')).toBe(503);
  });

  it('speaks TLS, with whom it may be, also over IPv6 and where a redirect leads', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'probe-'));
    try {
      const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
      await run('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-subj', '/CN=somebody-else', '-keyout', key, '-out', cert],
      ]);
      const tls = { key: await readFile(key), cert: await readFile(cert) };
      const secure = await portOf(
        createHttpsServer(tls, (request, response) => {
          response.writeHead(request.url === '/fine' ? 204 : 404).end();
        }),
        '::1',
      );
      const plain = await portOf(
        createHttpServer((_request, response) => {
          response.writeHead(307, { location: `https://[::1]:${secure}/fine` }).end();
        }),
      );
      const look = (path: string) =>
        networkProbes.http(
          { kind: 'http', scheme: 'https', port: secure, path, protocol: 'IPv6' },
          ...(['::1', AbortSignal.timeout(5000)] as const),
        );
      expect(await look('/fine')).toBe(204);
      expect(await look('/else')).toBe(404);
      expect(await http(plain, '/')).toBe(204);
      const probe = { kind: 'tcp', port: secure, protocol: 'IPv6' } as const;
      expect(await networkProbes.tcp(probe, '::1', AbortSignal.timeout(5000))).toBe(true);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('gives up when it is aborted', async () => {
    const port = await portOf(createServer((socket) => socket.resume()));
    const probe = { kind: 'http', scheme: 'http', port, path: '/', protocol: 'IPv4' } as const;
    const signal = AbortSignal.timeout(50);
    await expect(networkProbes.http(probe, '127.0.0.1', signal)).rejects.toThrow(/abort/i);
  });

  it('sees whether somebody listens', async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await portOf(server);
    expect(await tcp(port)).toBe(true);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await tcp(port)).toBe(false);
    await expect(tcp(port, AbortSignal.abort())).rejects.toThrow();
  });
});

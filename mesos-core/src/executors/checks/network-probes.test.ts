import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { networkProbes } from './network-probes.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => server.close(resolve));
  }
});

async function portOf<T extends Server>(server: T): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
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

import { connect } from 'node:net';
import {
  authorizationHeader,
  NONCE_HEADER,
  signRequest,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import {
  createUndiciTransport,
  listen,
  silentLogger,
  systemClock,
  systemRandom,
} from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { createApiGateway, createMemoryNonceStore, createMemoryRateLimiter } from './index.ts';
import { INTERNAL_TOKEN, KEY_ID, SECRET, World } from './testing/world.ts';

/** A gateway on a real port in front of an api-server on another. */
async function onSockets() {
  const world = await World.create();
  const api = await listen(world.apiServer.app, { host: '127.0.0.1', port: 0 });
  const transport = createUndiciTransport();
  const gateway = createApiGateway({
    clock: systemClock,
    logger: silentLogger,
    random: systemRandom,
    transport,
    nonces: createMemoryNonceStore(systemClock),
    rateLimiter: createMemoryRateLimiter(systemClock, 10),
    apiServer: api.url,
    internalToken: INTERNAL_TOKEN,
  });
  const server = await listen(gateway, { host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await server.close();
    await transport.close();
    await api.close();
  };
  return { apiServer: world.apiServer, transport, server, close };
}

/** Sends bytes past every client library, which would tidy the path up; gives the status line. */
async function sendRaw(port: number, lines: readonly string[]): Promise<string> {
  const client = connect(port, '127.0.0.1');
  client.write(`${[...lines, 'host: x', 'connection: close'].join('\r\n')}\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').split('\r\n', 1)[0] ?? '';
}

describe('over real sockets', () => {
  it('nobody climbs out of the part of the API that signed callers may use', async () => {
    const { apiServer, server, close } = await onSockets();
    const sign = (path: string): string[] => {
      const timestamp = String(Math.floor(systemClock.nowMs() / 1000));
      const nonce = `nonce-${Buffer.from(systemRandom.bytes(12)).toString('hex')}`;
      const parts = { method: 'GET', pathWithQuery: path, body: '', timestamp, nonce };
      return [
        `authorization: ${authorizationHeader(KEY_ID, signRequest(SECRET, parts))}`,
        `${TIMESTAMP_HEADER}: ${timestamp}`,
        `${NONCE_HEADER}: ${nonce}`,
      ];
    };
    try {
      for (const path of [
        '/v1/../internal/v1/bootstrap',
        '/v1/%2e%2e/internal/v1/bootstrap',
        '/v1/.%2E/internal/v1/bootstrap',
        '/v1/..\\internal\\v1\\bootstrap',
        '/v1/./vms',
      ]) {
        const status = await sendRaw(server.port, [`GET ${path} HTTP/1.1`, ...sign(path)]);
        expect(status, path).toMatch(/ 400 /);
      }
      expect(apiServer.seen).toEqual([]);
      const right = await sendRaw(server.port, ['GET /v1/vms HTTP/1.1', ...sign('/v1/vms')]);
      expect(right).toMatch(/ 200 /);
    } finally {
      await close();
    }
  });

  it('the api-server learns when a caller goes away', async () => {
    const { apiServer, transport, server, close } = await onSockets();
    try {
      const url = `${server.url}/cluster-link/v1/exchange`;
      const request = { method: 'POST', url, body: '{"a":1}', timeoutMs: 5_000 } as const;
      expect((await transport.request(request)).status).toBe(200);
      const arrived = Promise.withResolvers<void>();
      const gone = Promise.withResolvers<void>();
      apiServer.answer = async ({ socket }) => {
        socket.once('close', () => gone.resolve());
        arrived.resolve();
        await gone.promise;
        return {};
      };
      const client = connect(server.port, '127.0.0.1');
      const head = 'POST /cluster-link/v1/exchange HTTP/1.1\r\nhost: x\r\ncontent-length: 2';
      client.write(`${head}\r\n\r\n{}`);
      await arrived.promise;
      client.destroy();
      await gone.promise;
    } finally {
      await close();
    }
  });
});

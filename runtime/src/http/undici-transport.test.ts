import { expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { createHttpApp } from './app.ts';
import { type ListeningServer, listen } from './listen.ts';
import { describeTransportContract } from './transport.contract.ts';
import { createUndiciTransport } from './undici-transport.ts';

describeTransportContract('undici', async () => {
  const transport = createUndiciTransport();
  const servers = new Map<string, ListeningServer>();
  const stopAll = () => Promise.all(Array.from(servers.values(), (server) => server.close()));
  return {
    transport,
    nobody: 'http://127.0.0.1:1',
    async serve(app) {
      const server = await listen(app, { host: '127.0.0.1', port: 0, graceMs: 50 });
      servers.set(server.url, server);
      return server.url;
    },
    stop: async (origin) => servers.get(origin)?.close(),
    during: (work) => work,
    async close() {
      await transport.close();
      await stopAll();
    },
  };
});

const newApp = () => createHttpApp({ service: 'test', clock: systemClock, logger: silentLogger });

it('refuses an answer that is larger than its bound, and says so', async () => {
  const app = newApp();
  app.get('/big', async () => 'x'.repeat(2000));
  const server = await listen(app, { host: '127.0.0.1', port: 0, graceMs: 50 });
  const transport = createUndiciTransport({ maxResponseBytes: 1000 });
  const url = `${server.url}/big`;
  await expect(transport.request({ method: 'GET', url, timeoutMs: 2000 })).rejects.toThrow(
    'larger than the limit of 1000 bytes',
  );
  await transport.close();
  await server.close();
});

it('keeps calls going while more streams are open than connections are allowed', async () => {
  const app = newApp();
  app.get('/stream', (_request, reply) => {
    reply.hijack();
    reply.raw.write('hello');
  });
  const server = await listen(app, { host: '127.0.0.1', port: 0, graceMs: 50 });
  const transport = createUndiciTransport({ maxConnectionsPerOrigin: 1 });
  const stream = { method: 'GET', url: `${server.url}/stream`, timeoutMs: 2000 } as const;
  await Promise.all([transport.stream(stream), transport.stream(stream)]);
  const live = { method: 'GET', url: `${server.url}/health/live`, timeoutMs: 2000 } as const;
  expect((await transport.request(live)).status).toBe(200);
  await transport.close();
  await server.close();
});

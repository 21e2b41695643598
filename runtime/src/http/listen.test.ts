import { expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { createHttpApp } from './app.ts';
import { listen } from './listen.ts';
import { createUndiciTransport } from './undici-transport.ts';

const newApp = () => createHttpApp({ service: 'test', clock: systemClock, logger: silentLogger });

it('tells its address, lets running requests end, and cuts streams after the grace', async () => {
  const app = newApp();
  app.get('/slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return 'done';
  });
  app.get('/stream', (_request, reply) => {
    reply.hijack();
    reply.raw.write('hello');
  });
  const server = await listen(app, { host: '127.0.0.1', port: 0, graceMs: 400 });
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  const transport = createUndiciTransport();
  const get = { method: 'GET', timeoutMs: 5000 } as const;
  // An idle keep-alive connection must not hold up the end either.
  await transport.request({ ...get, url: `${server.url}/health/live` });
  const stream = await transport.stream({ ...get, url: `${server.url}/stream` });
  const slow = transport.request({ ...get, url: `${server.url}/slow` });
  await new Promise((resolve) => setTimeout(resolve, 30));
  const startedMs = performance.now();
  await Promise.all([server.close(), server.close()]);
  const tookMs = performance.now() - startedMs;
  expect((await slow).status).toBe(200);
  expect(tookMs).toBeGreaterThan(300);
  expect(tookMs).toBeLessThan(2000);
  const reading = (async () => {
    for await (const chunk of stream.body) expect(chunk.byteLength).toBe(5);
  })();
  await expect(reading).rejects.toThrow();
  await transport.close();
});

it('refuses a port that is taken', async () => {
  const first = await listen(newApp(), { host: '127.0.0.1', port: 0 });
  const second = listen(newApp(), { host: '127.0.0.1', port: first.port });
  await expect(second).rejects.toThrow('EADDRINUSE');
  await first.close();
});

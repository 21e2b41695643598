import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { StartError } from '../start-error.ts';
import { createHttpApp } from './app.ts';
import { listen, listenProblem } from './listen.ts';
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

describe('a port that can not be opened', () => {
  const setBy = { host: '--ip or MESOS_IP', port: '--port or MESOS_PORT' };

  it('is told in one sentence, with what to do', async () => {
    const first = await listen(newApp(), { host: '127.0.0.1', port: 0 });
    const second = listen(newApp(), { host: '127.0.0.1', port: first.port, setBy });
    await expect(second).rejects.toThrow(StartError);
    await expect(second).rejects.toThrow(
      `port ${first.port} of 127.0.0.1 is in use (EADDRINUSE): end the process that listens ` +
        'there (ss -ltnp shows it), or choose another port with --port or MESOS_PORT',
    );
    await first.close();
  });

  it('is told so for an address of another machine', async () => {
    // TEST-NET-1 of RFC 5737: no machine has it.
    const away = listen(newApp(), { host: '192.0.2.1', port: 0, setBy });
    await expect(away).rejects.toThrow(
      'this machine has no address 192.0.2.1 (EADDRNOTAVAIL): give one that it has ' +
        '(0.0.0.0: all) with --ip or MESOS_IP',
    );
  });

  it.each([
    ['EADDRINUSE', /or choose another port$/],
    ['EACCES', /^this user may not open port 80 of localhost .* one from 1024 on, or give/],
    ['ENOTFOUND', /^this machine has no address localhost .* has \(0\.0\.0\.0: all\)$/],
  ])('says %s without the names of settings, too', (code, expected) => {
    expect(listenProblem({ host: 'localhost', port: 80 }, code)).toMatch(expected);
  });

  it('leaves other errors as they are', () => {
    expect(listenProblem({ host: 'localhost', port: 80 }, 'EMFILE')).toBeUndefined();
  });
});

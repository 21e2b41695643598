import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { createHttpApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { createUndiciTransport } from './http/undici-transport.ts';
import { silentLogger } from './log.ts';
import { contextHeaders, currentRequest, requestContext } from './request-context.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it('follows a request through its awaits, its body and the calls that it makes', async () => {
  const parts = { clock: systemClock, logger: silentLogger };
  const inner = createHttpApp({ service: 'inner', ...parts });
  inner.get('/seen', async (request) => ({
    id: request.id,
    trace: request.headers.traceparent ?? null,
  }));
  const below = await listen(inner, { host: '127.0.0.1', port: 0 });
  const transport = createUndiciTransport();
  const outer = createHttpApp({ service: 'outer', ...parts });
  outer.post('/outer', async () => {
    await pause(1);
    const request = { method: 'GET', url: `${below.url}/seen`, timeoutMs: 5_000 } as const;
    const { body } = await transport.request(request);
    return { here: currentRequest()?.requestId, below: JSON.parse(new TextDecoder().decode(body)) };
  });
  const above = await listen(outer, { host: '127.0.0.1', port: 0 });
  const call = async (requestId: string) => {
    const headers = {
      'content-type': 'application/json',
      'x-request-id': requestId,
      traceparent: TRACE,
    };
    const request = { method: 'POST', url: `${above.url}/outer`, timeoutMs: 5_000 } as const;
    const { body } = await transport.request({ ...request, headers, body: '{"a":1}' });
    return JSON.parse(new TextDecoder().decode(body));
  };
  const ids = ['one', 'two', 'three'];
  const answers = await Promise.all(ids.map(call));
  expect(answers).toEqual(ids.map((id) => ({ here: id, below: { id, trace: TRACE } })));
  expect(currentRequest()).toBeUndefined();
  await above.close();
  await below.close();
  await transport.close();
});

it('sends on a trace only in its own form, and nothing in background work', () => {
  expect(requestContext('req', TRACE)).toEqual({ requestId: 'req', traceparent: TRACE });
  expect(requestContext('req', 'x\r\ny')).toEqual({ requestId: 'req' });
  expect(contextHeaders({ accept: '*/*' })).toEqual({ accept: '*/*' });
});

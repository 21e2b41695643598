import { describe, expect, it } from 'vitest';
import { RemoteAnswerError, RemoteProblemError, requestJson } from './json-client.ts';
import type { HttpRequest, HttpTransport } from './transport.ts';

/** A transport that always gives this answer, and remembers what it was asked. */
function answering(status: number, body: string) {
  const asked: HttpRequest[] = [];
  const transport: HttpTransport = {
    request: async (request) => {
      asked.push(request);
      return { status, headers: {}, body: new TextEncoder().encode(body) };
    },
    stream: () => Promise.reject(new Error('no streams here')),
    close: async () => undefined,
  };
  return { transport, asked };
}

const request = { method: 'POST', url: 'http://x/y', json: { a: 1 }, timeoutMs: 100 } as const;
const count = (value: unknown): number => {
  if (typeof value === 'number') return value;
  throw new TypeError('not a number');
};

describe('requestJson', () => {
  it('sends JSON and decodes the answer', async () => {
    const { transport, asked } = answering(200, '42');
    expect(await requestJson(transport, request, count)).toBe(42);
    expect(asked[0]).toMatchObject({ body: '{"a":1}', timeoutMs: 100 });
    expect(asked[0]?.headers).toMatchObject({ 'content-type': 'application/json' });
    await requestJson(transport, { method: 'GET', url: 'http://x', timeoutMs: 1 }, count);
    expect(asked[1]).not.toHaveProperty('body');
    expect(asked[1]?.headers).not.toHaveProperty('content-type');
  });

  it('decodes no content as undefined', async () => {
    const { transport } = answering(204, '');
    expect(await requestJson(transport, request, (value) => value)).toBeUndefined();
  });

  it('gives the problem of an error answer', async () => {
    const body = { code: 'FACTORY_ERR_X', detail: 'too many', field: 'count' };
    const { transport } = answering(409, JSON.stringify(body));
    const failure = requestJson(transport, request, count);
    await expect(failure).rejects.toThrow(RemoteProblemError);
    await expect(failure).rejects.toMatchObject({ status: 409, ...body, body });
  });

  it('gives the text of an error answer that is no problem', async () => {
    const { transport } = answering(502, '<html>bad gateway</html>');
    await expect(requestJson(transport, request, count)).rejects.toMatchObject({
      status: 502,
      code: 'FACTORY_ERR_REMOTE_502',
      detail: '<html>bad gateway</html>',
      field: undefined,
    });
  });

  it('refuses a success that is not JSON or not of the shape', async () => {
    const { transport } = answering(200, '{"half":');
    await expect(requestJson(transport, request, count)).rejects.toThrow(RemoteAnswerError);
    const other = answering(200, '"text"');
    await expect(requestJson(other.transport, request, count)).rejects.toThrow('not a number');
  });
});

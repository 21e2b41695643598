import { expect, it } from 'vitest';
import { ApiClient, pathTo } from './api.ts';

it('puts parameters where the document says they are', () => {
  expect(pathTo('/v1/vms/{id}:start', { id: 'a/b' }, {})).toBe('/v1/vms/a%2Fb:start');
  expect(pathTo('/v1/vms', {}, { state: 'running', name: undefined, limit: 5 })).toBe(
    '/v1/vms?state=running&limit=5',
  );
});

it('reads lists page by page, with their filters', async () => {
  const asked: string[] = [];
  const api = new ApiClient(async ({ method, pathWithQuery }) => {
    asked.push(`${method} ${pathWithQuery}`);
    const isLast = asked.length === 2;
    return { items: [{ id: `vm_${asked.length}` }], nextCursor: isLast ? null : 'next' };
  });
  const vms = await api.all('listVms', { query: { state: 'running' } });
  expect(vms.map(({ id }) => id)).toEqual(['vm_1', 'vm_2']);
  expect(asked).toEqual([
    'GET /v1/vms?state=running&limit=500',
    'GET /v1/vms?state=running&limit=500&cursor=next',
  ]);
});

it('sends bodies and headers as they are', async () => {
  const api = new ApiClient(async (request) => request);
  const body = { name: 'web', image: 'micro', count: 2 };
  const sent = await api.call('createBatch', { body, headers: { 'idempotency-key': 'k' } });
  expect(sent).toEqual({
    method: 'POST',
    pathWithQuery: '/v1/batches',
    headers: { 'idempotency-key': 'k' },
    json: body,
  });
});

import { BatchRequestSchema } from '@factory/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import type { TestFactory } from '../testing/factory.ts';

const sound = { name: 'render', image: 'micro', count: 2, memoryMiB: 128 };

async function expectNoRow({ caller }: TestFactory): Promise<void> {
  expect((await caller.ok('GET', '/v1/batches?withDeleted=true')).items).toEqual([]);
  expect((await caller.ok('GET', '/v1/vms?withDeleted=true')).items).toEqual([]);
}

describeOnEachStore('batches', (test) => {
  const withImage = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 }) });
    return factory;
  };

  const bad: readonly [field: string | undefined, status: number, body: unknown][] = [
    ['image', 422, { ...sound, image: 'nope' }],
    ['count', 400, { ...sound, count: 0 }],
    ['count', 400, { ...sound, count: 1e9 }],
    ['count', 400, { ...sound, count: 1.5 }],
    ['count', 400, { ...sound, count: '2' }],
    ['count', 400, { name: 'a', image: 'micro' }],
    ['memoryMiB', 400, { ...sound, memoryMiB: '128' }],
    ['memoryMiB', 400, { ...sound, memoryMiB: 63 }],
    ['name', 400, { ...sound, name: 'No Spaces' }],
    ['name', 400, { image: 'micro', count: 1 }],
    ['colour', 400, { ...sound, colour: 'red' }],
    ['shapes[0].vcpus', 400, { name: 'a', image: 'micro', totalVcpus: 4, shapes: [{}] }],
    ['labels.a b', 400, { ...sound, labels: { 'a b': 'x' } }],
    ['sshPublicKeys[0]', 400, { ...sound, sshPublicKeys: ['nonsense'] }],
    ['body', 400, '{"name": '],
    [undefined, 400, '[]'],
    ['body', 413, JSON.stringify({ ...sound, userData: 'x'.repeat(10 * 1024 * 1024) })],
  ];
  it('refuse bad input, name the field and keep nothing', async () => {
    const factory = await withImage();
    for (const [field, status, body] of bad) {
      const answer = await factory.caller.call('POST', '/v1/batches', body);
      const shown = typeof body === 'string' ? body.slice(0, 30) : JSON.stringify(body);
      expect(answer.headers['content-type'], shown).toContain('application/problem+json');
      expect(answer.json(), shown).toMatchObject({ status, code: expect.any(String) });
      expect(answer.json().field, shown).toBe(field);
    }
    await expectNoRow(factory);
  });

  it('refuse whatever does not fit the schema, never with a 5xx', async () => {
    const factory = await withImage();
    const field = fc.constantFrom(...Object.keys(BatchRequestSchema.properties), '__proto__', 'x');
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('a', -1, 0, 1e9, 2 ** 53, '\0', '\ud800', null, {}, []),
    );
    await fc.assert(
      fc.asyncProperty(field, value, async (name, anything) => {
        fc.pre(anything !== 'micro');
        const body = JSON.stringify({ ...sound, image: 'none', [name]: anything });
        const answer = await factory.caller.call('POST', '/v1/batches', body);
        expect([400, 422]).toContain(answer.statusCode);
        expect(answer.json().code).toMatch(/^FACTORY_ERR_/);
      }),
      { numRuns: 300 },
    );
    await expectNoRow(factory);
  });

  it('tell their cluster what their machines wish of their hosts', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 2, { vcpus: 64, memoryMiB: 65_536 }) });
    const wishes = {
      requirements: [{ name: 'rack', op: 'regex', pattern: 'r[12]' }],
      group: { id: 'db', rule: 'anti-affinity' },
      placement: 'pack',
      resources: { licences: 1 },
    };
    const polling = cluster.exchange({}, 20_000);
    await factory.caller.ok('POST', '/v1/batches', { ...sound, ...wishes });
    const { commands } = await polling;
    const specs = commands.flatMap(({ command }) =>
      command.kind === 'assignVms' ? command.vms.map(({ spec }) => spec) : [],
    );
    expect(specs).toMatchObject([wishes, wishes]);
  });

  it('answer an idempotency key as then, whatever has become of the image, as long as there is the batch', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const room = { vcpus: 64, memoryMiB: 65_536 };
    await cluster.exchange({ capacity: capacityOf(clock, 1, room) });
    const key = { 'idempotency-key': 'k-2' };
    const send = (body: unknown) => factory.caller.call('POST', '/v1/batches', body, key);
    const first = await send(sound);
    await cluster.exchange({ capacity: capacityOf(clock, 1, room, []) });
    clock.shift(48 * 3_600_000);
    const { nowMs } = clock;
    const limits = { pendingMs: 1e12, scheduledMs: 1e12, idempotencyKeptMs: 1, noncesKeptMs: 1 };
    await factory.store.planning.sweep(nowMs(), { ...limits, operationsKeptMs: 1, silentMs: 1 });
    const again = await send(sound);
    expect([again.statusCode, again.body]).toEqual([202, first.body]);
    const other = await send({ ...sound, image: 'gone' });
    expect(other.json()).toMatchObject({ code: 'FACTORY_ERR_IDEMPOTENCY_CONFLICT' });
  });

  it('are made once for one idempotency key', async () => {
    const factory = await withImage();
    const key = { 'idempotency-key': 'k-1' };
    const send = (body: unknown) => factory.caller.call('POST', '/v1/batches', body, key);
    const answers = await Promise.all([1, 2, 3, 4].map(() => send(sound)));
    expect(answers.map((answer) => answer.statusCode)).toEqual([202, 202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
    // The same fields in another order are the same request.
    const { name, ...rest } = sound;
    expect((await send({ ...rest, name })).body).toBe(answers[0]?.body);
    const other = await send({ ...sound, count: 3 });
    expect(other.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_IDEMPOTENCY_CONFLICT' });
    expect((await factory.caller.ok('GET', '/v1/batches')).items).toHaveLength(1);
    const badKey = { 'idempotency-key': 'with space' };
    const refused = await factory.caller.call('POST', '/v1/batches', sound, badKey);
    expect(refused.json()).toMatchObject({ status: 400, field: 'idempotency-key' });
  });

  it('have names of their own within a project', async () => {
    const factory = await withImage();
    const made = await Promise.all(
      [1, 2, 3].map(() => factory.caller.call('POST', '/v1/batches', sound)),
    );
    expect(made.map((answer) => answer.statusCode).sort()).toEqual([202, 409, 409]);
    const refused = made.find((answer) => answer.statusCode === 409);
    expect(refused?.json()).toMatchObject({ code: 'FACTORY_ERR_NAME_TAKEN', field: 'name' });
    const { items } = await factory.caller.ok('GET', '/v1/batches?name=render');
    expect(items).toHaveLength(1);
    expect((await factory.caller.ok('GET', '/v1/batches?name=other')).items).toEqual([]);
  });

  it('are listed in pages, by state', async () => {
    const factory = await withImage();
    for (const name of ['a', 'b', 'c']) {
      await factory.caller.ok('POST', '/v1/batches', { ...sound, name });
    }
    const first = await factory.caller.ok('GET', '/v1/batches?limit=2');
    expect(first.items).toHaveLength(2);
    const second = await factory.caller.ok('GET', `/v1/batches?cursor=${first.nextCursor}`);
    const all = [...first.items, ...second.items].map((batch: { name: string }) => batch.name);
    expect(all.sort()).toEqual(['a', 'b', 'c']);
    expect(second.nextCursor).toBeNull();
    expect((await factory.caller.ok('GET', '/v1/batches?state=deleting')).items).toEqual([]);
  });

  it('answer a wait at the latest after its time, and at once when they differ', async () => {
    const factory = await withImage();
    const { id } = await factory.caller.ok('POST', '/v1/batches', sound);
    const url = `/v1/batches/${id}`;
    const differs = await factory.caller.call('GET', `${url}?waitMs=20000&ifChangedFrom=old`);
    const same = encodeURIComponent(String(differs.headers.etag));
    const waited = await factory.caller.call('GET', `${url}?waitMs=100&ifChangedFrom=${same}`);
    expect(waited.statusCode).toBe(200);
    const missing = await factory.caller.call('GET', `/v1/batches/bat_${'0'.repeat(32)}`);
    expect(missing.json()).toMatchObject({ status: 404, code: 'FACTORY_ERR_NOT_FOUND' });
  });

  it('may be looked at, but not changed, by viewers, and are nothing for partners', async () => {
    const factory = await withImage();
    for (const [role, status] of [
      ['viewer', 200],
      ['partner', 403],
    ] as const) {
      const viewer = factory.caller.as(role);
      const refused = await viewer.call('POST', '/v1/batches', sound);
      expect(refused.json()).toMatchObject({ status: 403, code: 'FACTORY_ERR_FORBIDDEN' });
      expect((await viewer.call('GET', '/v1/batches')).statusCode).toBe(status);
    }
    expect((await factory.caller.as('wizard').call('GET', '/v1/batches')).statusCode).toBe(401);
    await expectNoRow(factory);
  });

  it('are only for callers with the internal token', async () => {
    const { factory } = test();
    for (const authorization of ['', 'Bearer wrong', 'Basic eA==']) {
      const headers = { authorization };
      const answer = await factory.caller.call('GET', '/v1/batches', undefined, headers);
      expect(answer.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_UNSIGNED' });
    }
  });
});

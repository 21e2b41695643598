import { silentLogger } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';
import { BatchTermsDuty } from './terms.ts';

const BATCH = { name: 'b', image: 'micro', count: 3, vcpus: 2, memoryMiB: 256 };

describeOnEachStore('a hold', (test) => {
  const join = async (vcpus: number) => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus, memoryMiB: 65_536 }) });
    return cluster;
  };
  const post = (url: string, body: object, headers = {}) =>
    test().factory.caller.call('POST', url, body, headers);
  const hold = (body: object) => post('/v1/batches:hold', body);
  const fits = async (count: number) =>
    (await post('/v1/batches:plan', { ...BATCH, name: 'other', count })).json().fits;

  it('keeps room for its batch from others, until the batch is made of it', async () => {
    const cluster = await join(10);
    const held = (await hold(BATCH)).json();
    expect(held.plan).toMatchObject({ fits: true, clusters: [{ name: 'idc-1', vcpus: 6 }] });
    expect([await fits(2), await fits(3)]).toEqual([true, false]);
    const polling = cluster.exchange({}, 20_000);
    const key = { 'idempotency-key': 'k' };
    const made = await post('/v1/batches', { holdId: held.id }, key);
    expect(made.json()).toMatchObject({ name: 'b', count: 3 });
    expect(assignedIn(await polling)).toHaveLength(3);
    expect([await fits(2), await fits(3)]).toEqual([true, false]);
    expect((await post('/v1/batches', { holdId: held.id }, key)).body).toBe(made.body);
    const again = await post('/v1/batches', { holdId: held.id });
    expect(again.json()).toMatchObject({ code: 'FACTORY_ERR_HOLD_GONE', field: 'holdId' });
  });

  it('is refused when not all has room, and when the quota does not allow it', async () => {
    const { caller } = test().factory;
    await join(4);
    expect((await hold(BATCH)).json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_NO_ROOM' });
    await caller.ok('PUT', `/v1/quota/projects/${caller.projectId}`, { vms: 3 });
    expect((await hold({ ...BATCH, count: 2 })).statusCode).toBe(201);
    expect((await caller.ok('GET', '/v1/quota')).project.used).toMatchObject({ vms: 2, vcpus: 4 });
    const refused = await post('/v1/batches', { ...BATCH, name: 'c', count: 2 });
    expect(refused.json()).toMatchObject({ limit: 'vms', used: 2, asked: 2, max: 3 });
  });

  it('counts once when its batch is made', async () => {
    const { caller } = test().factory;
    await join(6);
    await caller.ok('PUT', `/v1/quota/projects/${caller.projectId}`, { vms: 3 });
    const { id } = (await hold(BATCH)).json();
    expect((await post('/v1/batches', { holdId: id })).statusCode).toBe(202);
    expect((await caller.ok('GET', '/v1/quota')).project.used).toMatchObject({ vms: 3 });
  });

  it('ends by itself, and gives its room back', async () => {
    const { factory, clock } = test();
    const cluster = await join(6);
    const { id } = (await hold({ ...BATCH, holdSeconds: 60 })).json();
    expect(await fits(1)).toBe(false);
    clock.shift(61_000);
    await cluster.exchange();
    expect(await fits(3)).toBe(true);
    const late = await post('/v1/batches', { holdId: id });
    expect(late.json()).toMatchObject({ code: 'FACTORY_ERR_HOLD_GONE' });
    await new BatchTermsDuty({ store: factory.store, logger: silentLogger }).sweep(clock.nowMs());
    expect((await factory.caller.ok('GET', '/v1/quota')).project.used).toMatchObject({ vms: 0 });
  });

  it('is given back by its owner alone', async () => {
    const { caller } = test().factory;
    await join(6);
    const { id } = (await hold(BATCH)).json();
    const stranger = caller.as('admin', otherProject());
    expect((await stranger.call('DELETE', `/v1/holds/${id}`)).statusCode).toBe(404);
    expect((await stranger.call('POST', '/v1/batches', { holdId: id })).statusCode).toBe(409);
    const mixed = await post('/v1/batches', { holdId: id, name: 'x' });
    expect(mixed.json()).toMatchObject({ status: 400, field: 'holdId' });
    expect((await caller.call('DELETE', `/v1/holds/${id}`)).statusCode).toBe(204);
    expect(await fits(3)).toBe(true);
  });
});

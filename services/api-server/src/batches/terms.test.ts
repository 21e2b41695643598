import { silentLogger } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';
import { BatchTermsDuty } from './terms.ts';

const MINUTE_MS = 60_000;
const BATCH = { name: 'b', image: 'micro', count: 3, vcpus: 1, memoryMiB: 256 };

describeOnEachStore('the terms of a batch', (test) => {
  const sweep = () => {
    const { factory, clock } = test();
    return new BatchTermsDuty({ store: factory.store, logger: silentLogger }).sweep(clock.nowMs());
  };
  /** A cluster with room for so many machines, and the batch with its machines there. */
  const withRoomFor = async (vcpus: number, more: object) => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus, memoryMiB: 65_536 }) });
    const polling = cluster.exchange({}, 20_000);
    const { id } = await factory.caller.ok('POST', '/v1/batches', { ...BATCH, ...more });
    const vms = assignedIn(await polling);
    const run = () => cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
    return { cluster, vms, run, read: () => factory.caller.ok('GET', `/v1/batches/${id}`), id };
  };

  it('release everything at the deadline when all were asked for and not all were placed', async () => {
    const { cluster, vms, run, read } = await withRoomFor(2, { fill: 'all', deadlineSeconds: 60 });
    await run();
    await sweep();
    expect(await read()).toMatchObject({ state: 'planning', fill: 'all', failure: null });
    test().clock.shift(MINUTE_MS);
    await sweep();
    const failed = await read();
    expect(failed).toMatchObject({ state: 'failed', pendingReason: null, settled: false });
    expect(failed.failure).toContain('2 of 3 were placed');
    const told = await cluster.exchange();
    const wishes = told.commands.flatMap(({ command }) =>
      command.kind === 'setDesired' ? command.changes : [],
    );
    expect(wishes.map(({ desired }) => desired)).toEqual(['deleted', 'deleted']);
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, { state: 'deleted' })) });
    expect(await read()).toMatchObject({
      state: 'failed',
      settled: true,
      vmCounts: { deleted: 3 },
    });
  });

  it('keep what there is when that is enough, and give up what waits', async () => {
    const terms = { fill: { atLeast: 2 }, deadlineSeconds: 60 };
    const { cluster, run, read } = await withRoomFor(2, terms);
    await run();
    test().clock.shift(MINUTE_MS);
    await sweep();
    await cluster.exchange();
    const counts = { running: 2, failed: 1 };
    const settled = { state: 'active', settled: true, failure: null, vmCounts: counts };
    expect(await read()).toMatchObject(settled);
    test().clock.shift(60 * MINUTE_MS);
    await sweep();
    await cluster.exchange();
    expect(await read()).toMatchObject(settled);
  });

  it('do not count as placed what no host has yet', async () => {
    const { cluster, vms, read } = await withRoomFor(3, { fill: 'all', deadlineSeconds: 60 });
    expect(vms).toHaveLength(3);
    test().clock.shift(MINUTE_MS);
    await sweep();
    expect((await read()).failure).toContain('0 of 3 were placed');
    expect((await cluster.exchange()).commands).toMatchObject([
      { command: { kind: 'setDesired' } },
    ]);
  });

  it('take whatever there is by best effort, also nothing', async () => {
    const { read, id } = await withRoomFor(1, { deadlineSeconds: 30 });
    test().clock.shift(MINUTE_MS);
    await sweep();
    const { items } = await test().factory.caller.ok('GET', `/v1/vms?batchId=${id}`);
    expect(await read()).toMatchObject({ state: 'active', failure: null });
    const waited = items.filter((vm: { clusterId: unknown }) => vm.clusterId === null);
    expect(waited).toHaveLength(2);
    for (const vm of waited) expect(vm).toMatchObject({ state: 'failed', reason: 'NO_CAPACITY' });
  });

  it('wait with the machines of a batch for a deadline that is later than usual', async () => {
    const { read } = await withRoomFor(2, { fill: 'all', deadlineSeconds: 7200 });
    test().clock.shift(90 * MINUTE_MS);
    await test().factory.store.planning.sweep(test().clock.nowMs(), {
      ...{ pendingMs: 30 * MINUTE_MS, scheduledMs: 1e12, idempotencyKeptMs: 1e12 },
      ...{ operationsKeptMs: 1e12, silentMs: 1e12, noncesKeptMs: 1e12 },
    });
    expect(await read()).toMatchObject({ state: 'planning', vmCounts: { pending: 1 } });
  });

  it('count cores where cores were asked for', async () => {
    const { factory } = test();
    await withRoomFor(8, {});
    const shapes = [{ vcpus: 4, memoryMiB: 1024 }];
    const cores = { name: 'c', image: 'micro', totalVcpus: 16, shapes };
    const bad = await factory.caller.call('POST', '/v1/batches', {
      ...cores,
      fill: { atLeast: 17 },
    });
    expect(bad.json()).toMatchObject({ status: 400, field: 'fill.atLeast' });
    const asked = { ...cores, fill: { atLeast: 8 }, deadlineSeconds: 60 };
    const { id } = await factory.caller.ok('POST', '/v1/batches', asked);
    test().clock.shift(MINUTE_MS);
    await sweep();
    const { failure } = await factory.caller.ok('GET', `/v1/batches/${id}`);
    expect(failure).toContain('0 of 16 were placed');
  });

  it('warn of the end of its lifetime once, and end it then', async () => {
    const { factory, clock } = test();
    const { run, read, id } = await withRoomFor(3, { lifetimeSeconds: 3600 });
    await run();
    const { expiresAt } = await read();
    expect(Date.parse(expiresAt) - clock.nowMs()).toBeGreaterThan(59 * MINUTE_MS);
    expect(await factory.store.terms.warn(clock.nowMs())).toEqual([]);
    clock.shift(55 * MINUTE_MS);
    expect(await factory.store.terms.warn(clock.nowMs())).toEqual([id]);
    expect(await factory.store.terms.warn(clock.nowMs())).toEqual([]);
    const { items } = await factory.caller.ok('GET', '/v1/events?types=batch.expiring');
    expect(items).toMatchObject([{ subject: id, data: { expiresAt } }]);
    await sweep();
    expect(await read()).toMatchObject({ state: 'active' });
    clock.shift(5 * MINUTE_MS);
    await sweep();
    expect(await read()).toMatchObject({ state: 'deleting' });
    const late = await factory.caller.call('PATCH', `/v1/batches/${id}`, { lifetimeSeconds: 60 });
    expect(late.json()).toMatchObject({ code: 'FACTORY_ERR_WRONG_STATE' });
  });

  it('are extended by a change, which is warned of anew', async () => {
    const { factory, clock } = test();
    const { read, id } = await withRoomFor(3, { lifetimeSeconds: 3600 });
    clock.shift(58 * MINUTE_MS);
    await sweep();
    const change = (body: object) => factory.caller.call('PATCH', `/v1/batches/${id}`, body);
    expect((await change({ lifetimeSeconds: 3600 })).statusCode).toBe(202);
    clock.shift(30 * MINUTE_MS);
    await sweep();
    expect(await read()).toMatchObject({ state: 'active' });
    clock.shift(28 * MINUTE_MS);
    expect(await factory.store.terms.warn(clock.nowMs())).toEqual([id]);
    expect((await change({ expiresAt: null })).json()).toMatchObject({ expiresAt: null });
    const past = await change({ expiresAt: '2001-01-01T00:00:00Z' });
    expect(past.json()).toMatchObject({ status: 400, field: 'expiresAt' });
    clock.shift(10_000 * MINUTE_MS);
    await sweep();
    expect(await read()).toMatchObject({ state: 'active' });
  });
});

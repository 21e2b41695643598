import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

describeOnEachStore('an operation on machines of any batches', (test) => {
  it('is done on those that are named, each with its result, and once for one key', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const { cluster, vms } = await withRunning(factory, clock, 3);
    const ids = vms
      .slice(0, 2)
      .map((vm) => vm.vmId)
      .sort();
    const key = { 'idempotency-key': 'k' };
    const stop = () => caller.call('POST', '/v1/vms:stop', { ids }, key);
    const answer = (await stop()).json();
    expect(answer).toMatchObject({ batchId: null, kind: 'stop', counts: { running: 2 } });
    expect((await stop()).json().id).toBe(answer.id);
    const told = (await cluster.exchange()).commands.flatMap(({ command }) =>
      command.kind === 'setDesired' ? command.changes : [],
    );
    expect(told.map((each) => each.vmId).sort()).toEqual(ids);
    expect(told.every((each) => each.desired === 'stopped')).toBe(true);
    const { items } = await caller.ok('GET', `/v1/operations/${answer.id}/results`);
    expect(items.map((each: { vmId: string }) => each.vmId).sort()).toEqual(ids);
  });

  it('is done on those that are so, by the labels of their batches', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const { batch, vms } = await withRunning(factory, clock, 2);
    const stop = (filter: object) => caller.ok('POST', '/v1/vms:stop', { filter });
    await caller.ok('PATCH', `/v1/batches/${batch.id}`, { labels: { team: 'render' } });
    expect((await stop({ labels: { team: 'other' } })).counts).toMatchObject({ running: 0 });
    const done = await stop({ labels: { team: 'render' }, state: 'running' });
    expect(done.counts).toMatchObject({ running: vms.length });
  });

  it('is refused as a whole when one of them is of another project', async () => {
    const { factory, clock } = test();
    const { first } = await withRunning(factory, clock, 1);
    const stranger = factory.caller.as('admin', otherProject());
    const ids = [first.vmId];
    expect((await stranger.call('POST', '/v1/vms:stop', { ids })).statusCode).toBe(404);
    const both = await factory.caller.call('POST', '/v1/vms:stop', {
      ids,
      filter: { state: 'running' },
    });
    expect(both.json()).toMatchObject({ status: 400, field: 'ids' });
  });
});

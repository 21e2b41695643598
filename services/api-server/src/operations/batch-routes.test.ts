import type { LinkCommand } from '@factory/contracts';
import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

const operationsIn = (commands: readonly { readonly command: LinkCommand }[]) =>
  commands.flatMap(({ command }) => (command.kind === 'operate' ? command.operations : []));
const changesIn = (commands: readonly { readonly command: LinkCommand }[]) =>
  commands.flatMap(({ command }) => (command.kind === 'setDesired' ? command.changes : []));

describeOnEachStore('operations on a batch', (test) => {
  it('stop all its machines with one call, each with a result of its own', async () => {
    const { factory, clock } = test();
    const { cluster, batch, vms, first } = await withRunning(factory, clock, 5);
    const { caller } = factory;
    const [, second] = vms;
    if (second === undefined) throw new Error('five were asked for');
    // One is off already, and one is just being removed.
    await caller.ok('POST', `/v1/vms/${first.vmId}:stop`);
    const off = { state: 'stopped' as const, generation: 2 };
    await cluster.exchange({ vms: [cluster.report(first, off)] });
    await caller.ok('DELETE', `/v1/vms/${second.vmId}`);
    await cluster.exchange();

    const started = await caller.call('POST', `/v1/batches/${batch.id}:stop`);
    expect(started.statusCode).toBe(202);
    const url = String(started.headers.location);
    expect(started.json()).toMatchObject({
      kind: 'stop',
      state: 'running',
      counts: { running: 3, succeeded: 1, failed: 1 },
    });
    const changes = changesIn((await cluster.exchange()).commands);
    expect(changes).toHaveLength(3);
    expect(changes.map(({ desired }) => desired)).toEqual(['stopped', 'stopped', 'stopped']);
    const failed = await caller.ok('GET', `${url}/results?state=failed`);
    expect(failed.items).toMatchObject([
      { vmId: second.vmId, kind: 'stop', message: expect.stringContaining('being deleted') },
    ]);

    const [third, fourth, fifth] = vms.slice(2);
    if (third === undefined || fourth === undefined || fifth === undefined) throw new Error('5');
    const broken = { state: 'failed' as const, reason: 'IO_ERROR' as const, message: 'no disk' };
    await cluster.exchange({
      vms: [cluster.report(third, off), cluster.report(fourth, { ...broken, generation: 2 })],
    });
    expect(await caller.ok('GET', url)).toMatchObject({
      state: 'running',
      counts: { running: 1, succeeded: 2, failed: 2 },
    });
    await cluster.exchange({ vms: [cluster.report(fifth, off)] });
    expect(await caller.ok('GET', url)).toMatchObject({ state: 'done' });
    const results = await caller.ok('GET', `${url}/results?limit=500`);
    expect(results.items).toHaveLength(5);
    expect(results.items.find((each: { vmId: string }) => each.vmId === fourth.vmId)).toMatchObject(
      { state: 'failed', reason: 'IO_ERROR', message: 'no disk' },
    );
    const page = await caller.ok('GET', `${url}/results?limit=2`);
    const next = await caller.ok('GET', `${url}/results?limit=2&cursor=${page.nextCursor}`);
    expect(new Set([...page.items, ...next.items].map(({ id }) => id)).size).toBe(4);
  });

  it('reset them by operations, whose ends are theirs', async () => {
    const { factory, clock } = test();
    const { cluster, batch } = await withRunning(factory, clock, 3);
    const { caller } = factory;
    const { id } = await caller.ok('POST', `/v1/batches/${batch.id}:reset`);
    const requests = operationsIn((await cluster.exchange()).commands);
    expect(requests.map(({ kind }) => kind)).toEqual(['reset', 'reset', 'reset']);
    const [good, bad] = requests;
    if (good === undefined || bad === undefined) throw new Error('expected operations');
    const said = { output: '', message: '' };
    await cluster.exchange({
      operations: [
        { operationId: good.operationId, vmId: good.vmId, outcome: 'succeeded', ...said },
        { operationId: bad.operationId, vmId: bad.vmId, outcome: 'failed', ...said },
      ],
    });
    expect(await caller.ok('GET', `/v1/operations/${id}`)).toMatchObject({
      counts: { running: 1, succeeded: 1, failed: 1 },
    });
  });

  it('are begun once for one key, by whichever api-server', async () => {
    const { factory, clock } = test();
    const { cluster, batch } = await withRunning(factory, clock, 2);
    const { caller } = factory;
    const body = { name: 'before' };
    const call = (verb: string, key = 'k-1') =>
      caller.call('POST', `/v1/batches/${batch.id}:${verb}`, body, { 'idempotency-key': key });
    const [one, other] = await Promise.all([call('snapshot'), call('snapshot')]);
    expect(one.json().id).toBe(other.json().id);
    expect((await call('snapshot')).json().id).toBe(one.json().id);
    expect(operationsIn((await cluster.exchange()).commands)).toHaveLength(2);
    expect((await call('revert')).json()).toMatchObject({
      status: 409,
      code: 'FACTORY_ERR_IDEMPOTENCY_CONFLICT',
    });
    expect((await call('snapshot', 'k-2')).json().id).not.toBe(one.json().id);
  });

  it('are cancelled where they run, and nowhere else', async () => {
    const { factory, clock } = test();
    const { cluster, batch } = await withRunning(factory, clock, 2);
    const body = { name: 'before' };
    const { id } = await factory.caller.ok('POST', `/v1/batches/${batch.id}:snapshot`, body);
    const [one, other] = operationsIn((await cluster.exchange()).commands);
    if (one === undefined || other === undefined) throw new Error('two parts');
    const { operationId, vmId } = one;
    const result = { operationId, vmId, outcome: 'succeeded', message: '', output: '' } as const;
    await cluster.exchange({ operations: [result] });
    await factory.caller.ok('POST', `/v1/operations/${id}:cancel`);
    expect(operationsIn((await cluster.exchange()).commands)).toMatchObject([
      { kind: 'cancel', vmId: other.vmId, params: { operationId: other.operationId } },
    ]);
  });

  it('give no password away', async () => {
    const { factory, clock } = test();
    const { cluster, batch } = await withRunning(factory, clock, 2);
    const params = { user: 'root', password: 'correct horse' };
    const { id } = await factory.caller.ok('POST', `/v1/batches/${batch.id}:setPassword`, params);
    const results = await factory.caller.call('GET', `/v1/operations/${id}/results`);
    expect(results.body).not.toContain(params.password);
    const bounds = { limit: 100, bytesMax: 1_000_000 };
    const { clusterId, epoch } = cluster;
    const kept = await factory.store.clusters.commandsAfter(clusterId, epoch, 0, bounds);
    expect(JSON.stringify(kept)).not.toContain(params.password);
    const requests = operationsIn((await cluster.exchange()).commands);
    expect(requests).toMatchObject([{ params }, { params }]);
  });

  it('are not there for other projects, nor on batches that are not', async () => {
    const { factory, clock } = test();
    const { batch } = await withRunning(factory, clock, 1);
    const { id } = await factory.caller.ok('POST', `/v1/batches/${batch.id}:stop`);
    const stranger = factory.caller.as('admin', otherProject());
    for (const [method, url] of [
      ['POST', `/v1/batches/${batch.id}:stop`],
      ['GET', `/v1/operations/${id}`],
      ['GET', `/v1/operations/${id}/results`],
    ] as const) {
      expect((await stranger.call(method, url)).statusCode, url).toBe(404);
    }
  });

  it('take a handful of statements for hundreds of machines', async () => {
    const { factory, clock } = test();
    const { cluster, batch } = await withRunning(factory, clock, 200);
    const { counts } = await factory.caller.ok('POST', `/v1/batches/${batch.id}:reboot`);
    expect(counts).toEqual({ running: 200, succeeded: 0, failed: 0 });
    const { commands } = await cluster.exchange();
    expect(commands).toHaveLength(1);
    expect(operationsIn(commands)).toHaveLength(200);
  });
});

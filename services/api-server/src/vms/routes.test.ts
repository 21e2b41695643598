import { waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

describeOnEachStore('machines', (test) => {
  it('are listed in pages, by filter', async () => {
    const { factory, clock } = test();
    const { batch, cluster, vms, first } = await withRunning(factory, clock, 25);
    const { caller } = factory;
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await caller.ok('GET', `/v1/vms?limit=10${cursor && `&cursor=${cursor}`}`);
      names.push(...page.items.map((vm: { name: string }) => vm.name));
      cursor = page.nextCursor;
    }
    expect(names).toEqual(Array.from({ length: 25 }, (_, index) => `web-${index + 1}`));
    await cluster.exchange({ vms: [cluster.report(first, { state: 'stopped' })] });
    const count = async (filter: string) =>
      (await caller.ok('GET', `/v1/vms?limit=500&${filter}`)).items.length;
    expect(await count('state=stopped')).toBe(1);
    expect(await count(`state=running&batchId=${batch.id}`)).toBe(24);
    expect(await count('name=web-7')).toBe(1);
    expect(await count(`batchId=bat_${'0'.repeat(32)}`)).toBe(0);
    await cluster.exchange({
      vms: vms.slice(0, 5).map((vm) => cluster.report(vm, { state: 'deleted' })),
    });
    expect(await count('')).toBe(20);
    expect(await count('withDeleted=true')).toBe(25);
    expect(await count('state=deleted')).toBe(5);
  });

  it.each([
    ['limit', 'limit=501'],
    ['limit', 'limit=0'],
    ['limit', 'limit=x'],
    ['cursor', 'cursor=bm90LWFuLWlk'],
    ['state', 'state=happy'],
    ['batchId', 'batchId=1'],
    ['name', 'name=A%01'],
    ['withDeleted', 'withDeleted=perhaps'],
  ])('refuse a bad %s in %s', async (field, query) => {
    const answer = await test().factory.caller.call('GET', `/v1/vms?${query}`);
    expect(answer.json()).toMatchObject({ status: 400, field });
  });

  it('are stopped, started and deleted by their host', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const { caller } = factory;
    const url = `/v1/vms/${first.vmId}`;
    const wishSent = async () => (await cluster.exchange({}, 5_000)).commands[0]?.command;
    const stopping = await caller.call('POST', `${url}:stop`);
    expect(stopping.statusCode).toBe(202);
    expect(stopping.json()).toMatchObject({ desiredState: 'stopped', generation: 2 });
    const change = { vmId: first.vmId, generation: 2, desired: 'stopped' };
    expect(await wishSent()).toEqual({ kind: 'setDesired', changes: [change] });
    // Asked again, it is the same wish.
    expect(await caller.ok('POST', `${url}:stop`)).toMatchObject({ generation: 2 });
    await cluster.exchange({
      vms: [cluster.report(first, { state: 'stopped', generation: 2, reason: 'STOPPED_BY_USER' })],
    });
    const again = await caller.call('POST', `${url}:stop`);
    expect(again.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_WRONG_STATE' });
    expect(again.json().detail).toContain('web-1 is stopped. Only a running machine');
    expect(await caller.ok('POST', `${url}:start`)).toMatchObject({ generation: 3 });
    expect(await wishSent()).toMatchObject({ changes: [{ generation: 3, desired: 'running' }] });
    expect(await caller.ok('DELETE', url)).toMatchObject({ desiredState: 'deleted' });
    expect(await wishSent()).toMatchObject({ changes: [{ generation: 4, desired: 'deleted' }] });
    expect((await caller.call('POST', `${url}:start`)).statusCode).toBe(409);
  });

  it('are rebooted by an operation', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const started = await factory.caller.call('POST', `/v1/vms/${first.vmId}:reboot`);
    expect(started.statusCode).toBe(202);
    const { id: operationId } = started.json();
    expect(started.headers.location).toBe(`/v1/operations/${operationId}`);
    const deadlineAtMs = expect.any(Number);
    const operation = { operationId, vmId: first.vmId, kind: 'reboot', deadlineAtMs };
    const { commands } = await cluster.exchange();
    expect(commands[0]?.command).toEqual({ kind: 'operate', operations: [operation] });
    const url = `/v1/operations/${operationId}`;
    expect(await factory.caller.ok('GET', url)).toMatchObject({ state: 'running' });
    const far = { stage: 'powering off', percent: 50 };
    await cluster.exchange({ progress: [{ operationId, vmId: first.vmId, ...far }] });
    expect(await factory.caller.ok('GET', url)).toMatchObject({ progress: far });
    const result = { operationId, vmId: first.vmId, outcome: 'succeeded' } as const;
    await cluster.exchange({ operations: [{ ...result, message: 'ok', output: '' }] });
    expect(await factory.caller.ok('GET', url)).toMatchObject({ state: 'succeeded' });
    // What comes late changes nothing.
    const late = { ...result, outcome: 'failed', message: '', output: '' } as const;
    await cluster.exchange({ operations: [late] });
    expect(await factory.caller.ok('GET', url)).toMatchObject({ state: 'succeeded' });
  });

  it('fail an operation that nothing is heard of', async () => {
    const { factory, clock } = test();
    const { first } = await withRunning(factory, clock, 1);
    const { id } = await factory.caller.ok('POST', `/v1/vms/${first.vmId}:reboot`);
    clock.shift(6 * 60_000);
    const failed = await waitFor(clock, 'the sweep', 20_000, async () => {
      const operation = await factory.caller.ok('GET', `/v1/operations/${id}`);
      return operation.state === 'failed' ? operation : undefined;
    });
    expect(failed.message).toContain('Nothing was heard');
  }, 30_000);

  it('show their log, whatever is printed there', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const reading = factory.caller.call('GET', `/v1/vms/${first.vmId}/logs`);
    const { commands } = await cluster.exchange({}, 5_000);
    const command = commands[0]?.command;
    if (command?.kind !== 'operate') throw new Error('expected an operation');
    const { operationId = '', vmId = '' } = command.operations[0] ?? {};
    const printed = { message: '', output: 'boot\0ed \ud800 ok\n' };
    const result = { operationId, vmId, outcome: 'succeeded', ...printed };
    const body = JSON.parse(JSON.stringify(cluster.request()));
    body.reports.operations.push(result);
    expect((await cluster.post('exchange', body)).statusCode).toBe(200);
    const answer = await reading;
    expect(answer.headers['content-type']).toContain('text/plain');
    expect(answer.body).toBe('booted \ufffd ok\n');
  });

  it("say why a host can't read a log", async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const reading = factory.caller.call('GET', `/v1/vms/${first.vmId}/logs`);
    const { commands } = await cluster.exchange({}, 5_000);
    const command = commands[0]?.command;
    const operation = command?.kind === 'operate' ? command.operations[0] : undefined;
    if (operation === undefined) throw new Error('expected an operation');
    const { operationId, vmId } = operation;
    const failed = { operationId, vmId, outcome: 'failed', message: 'no log', output: '' } as const;
    await cluster.exchange({ operations: [failed] });
    expect((await reading).json()).toMatchObject({ status: 409 });
    expect((await reading).json().detail).toContain('no log');
  });

  it('are not there for other projects, nor are their batches and operations', async () => {
    const { factory, clock } = test();
    const { batch, first } = await withRunning(factory, clock, 1);
    const { id } = await factory.caller.ok('POST', `/v1/vms/${first.vmId}:reboot`);
    const stranger = factory.caller.as('admin', otherProject());
    const vm = `/v1/vms/${first.vmId}`;
    const attempts = [
      ['GET', vm],
      ['DELETE', vm],
      ['POST', `${vm}:start`],
      ['POST', `${vm}:stop`],
      ['POST', `${vm}:reboot`],
      ['GET', `${vm}/logs`],
      ['GET', `/v1/batches/${batch.id}`],
      ['DELETE', `/v1/batches/${batch.id}`],
      ['GET', `/v1/operations/${id}`],
    ] as const;
    for (const [method, url] of attempts) {
      expect((await stranger.call(method, url)).statusCode, `${method} ${url}`).toBe(404);
    }
    expect((await stranger.ok('GET', '/v1/vms')).items).toEqual([]);
    expect((await stranger.ok('GET', '/v1/batches')).items).toEqual([]);
    expect(await factory.caller.ok('GET', vm)).toMatchObject({ generation: 1 });
  });
});

import type { OperationId } from '@factory/contracts';
import { systemClock, systemRandom, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';
import { ConsoleTickets } from './tickets.ts';

describeOnEachStore('tickets for consoles', (test) => {
  const withVm = async (state: 'running' | 'stopped' = 'running') => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4_096 }) });
    const request = { name: 'web', image: 'micro', count: 1, memoryMiB: 64 };
    await factory.caller.ok('POST', '/v1/batches', request);
    const [vm] = assignedIn(await cluster.exchange({}, 5_000));
    if (vm === undefined) throw new Error('one machine is assigned');
    await cluster.exchange({ vms: [cluster.report(vm, { state })] });
    let last = 0;
    const newId = (prefix: string): string => {
      last += 1;
      return `${prefix}_${String(last).padStart(32, '0')}`;
    };
    const { store, caller } = factory;
    const tickets = new ConsoleTickets({ store, clock, random: systemRandom, newId });
    const issue = () => tickets.issue(caller.projectId, vm.vmId, 'serial');
    const use = (ticket: string) => tickets.use(ticket, newId('op') as OperationId, 'http://api-1');
    return { ...{ factory, clock, caller, vm, store, issue, use }, path: `/v1/vms/${vm.vmId}` };
  };

  it('are given for a machine that is on, and say where to go with them', async () => {
    const { caller, path, vm } = await withVm();
    const answer = await caller.call('POST', `${path}:console`, { kind: 'vnc' });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers['cache-control']).toBe('no-store');
    const { ticket, ...more } = answer.json();
    expect(more).toMatchObject({ vmId: vm.vmId, kind: 'vnc', path: `/v1/consoles/${ticket}` });
  });

  it('are refused to readers, to others, and for machines that are off', async () => {
    const { caller, path } = await withVm('stopped');
    const ask = (as: typeof caller) => as.call('POST', `${path}:console`, { kind: 'serial' });
    expect((await ask(caller.as('viewer'))).statusCode).toBe(403);
    expect((await ask(caller.as('admin', otherProject()))).statusCode).toBe(404);
    const off = await ask(caller);
    expect([off.statusCode, off.json().code]).toEqual([409, 'FACTORY_ERR_WRONG_STATE']);
    expect(off.json().detail).toContain('web-1 is stopped');
  });

  it('are good once, for what they were given for', async () => {
    const { issue, use, vm, caller } = await withVm();
    const { ticket } = await issue();
    const bound = { vmId: vm.vmId, projectId: caller.projectId, kind: 'serial' };
    expect(await use(ticket)).toMatchObject(bound);
    expect(await use(ticket)).toBeUndefined();
  });

  it('are good once even when two come at the same moment', async () => {
    const { issue, use } = await withVm();
    const { ticket } = await issue();
    const taken = await Promise.all(Array.from({ length: 5 }, () => use(ticket)));
    expect(taken.filter((each) => each !== undefined)).toHaveLength(1);
  });

  it('expire after a minute, and are forgotten', async () => {
    const { issue, use, clock, store } = await withVm();
    const { ticket } = await issue();
    clock.shift(60_000);
    expect(await use(ticket)).toBeUndefined();
    clock.shift(3_600_000);
    const id = ticket.split('.', 1)[0] as Parameters<typeof store.consoles.find>[0];
    await waitFor(systemClock, 'the sweep', 10_000, async () =>
      (await store.consoles.find(id)) === undefined ? true : undefined,
    );
  });

  it('are not used up by who guesses, and their secrets are not kept', async () => {
    const { issue, use, store } = await withVm();
    const { ticket } = await issue();
    const [id = '', secret = ''] = ticket.split('.');
    const wrong = `${id}.${secret.startsWith('A') ? 'B' : 'A'}${secret.slice(1)}`;
    const guesses = [
      wrong,
      id,
      `${id}.`,
      `${ticket}A`,
      `con_${'0'.repeat(32)}.${secret}`,
      '',
      '..',
    ];
    for (const guess of guesses) expect(await use(guess), guess).toBeUndefined();
    const kept = await store.consoles.find(id as Parameters<typeof store.consoles.find>[0]);
    expect(JSON.stringify(kept)).not.toContain(secret);
    expect(await use(ticket)).toBeDefined();
  });

  it('name the api-server at which the socket of their operation waits', async () => {
    const { issue, use, store } = await withVm();
    const { ticket } = await issue();
    await use(ticket);
    const used = `op_${'0'.repeat(31)}2` as OperationId;
    expect(await store.consoles.holderOf(used)).toBe('http://api-1');
    expect(await store.consoles.holderOf(`op_${'f'.repeat(32)}` as OperationId)).toBeUndefined();
  });
});

import { waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from './testing/cluster.ts';
import { describeOnEachStore } from './testing/each-store.ts';
import { assignedIn } from './testing/factory.ts';

const BIG = { vcpus: 8, memoryMiB: 8192 };

describeOnEachStore('a batch on its way', (test) => {
  it('goes from request to running to deleted', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 2, BIG) });
    const polling = cluster.exchange({}, 5_000);
    const request = { name: 'first', image: 'micro', count: 3, memoryMiB: 128 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    expect(batch).toMatchObject({ name: 'first', state: 'accepted', count: 3, settled: false });
    const vms = assignedIn(await polling);
    expect(vms.map((vm) => vm.spec.hostname)).toEqual(['first-1', 'first-2', 'first-3']);
    expect(new Set(vms.map((vm) => vm.spec.network.ipAddress)).size).toBe(3);

    const url = `/v1/batches/${batch.id}`;
    const planned = await factory.caller.call('GET', url);
    expect(planned.json()).toMatchObject({ state: 'active', vmCounts: { scheduled: 3 } });
    const etag = encodeURIComponent(String(planned.headers.etag));
    const waiting = factory.caller.call('GET', `${url}?waitMs=5000&ifChangedFrom=${etag}`);
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
    expect((await waiting).json()).toMatchObject({
      vmCounts: { running: 3 },
      readyCount: 3,
      settled: true,
    });
    const { items } = await factory.caller.ok('GET', `/v1/vms?batchId=${batch.id}`);
    expect(items[0].timeline).toMatchObject({
      accepted: expect.any(Number),
      planned: expect.any(Number),
      seen: expect.any(Number),
    });

    expect(await factory.caller.ok('DELETE', url)).toMatchObject({ state: 'deleting' });
    const { commands } = await cluster.exchange();
    expect(commands.map(({ command }) => command.kind)).toEqual(['setDesired']);
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, { state: 'deleted' })) });
    expect(await factory.caller.ok('GET', url)).toMatchObject({ state: 'deleted', settled: true });
    expect((await factory.caller.ok('GET', '/v1/batches')).items).toEqual([]);
    const again = await factory.caller.ok('POST', '/v1/batches', request);
    expect(again.id).not.toBe(batch.id);
  });

  it('splits over clusters, and the rest waits for room, with the reason', async () => {
    const { factory, clock } = test();
    const [one, two] = [await factory.join('idc-1'), await factory.join('idc-2')];
    await one.exchange({ capacity: capacityOf(clock, 1, { vcpus: 4, memoryMiB: 8192 }) });
    await two.exchange({ capacity: capacityOf(clock, 1, { vcpus: 2, memoryMiB: 8192 }) });
    const polls = [one.exchange({}, 5_000), two.exchange({}, 5_000)];
    const request = { name: 'wide', image: 'micro', count: 8, memoryMiB: 128 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const given = (await Promise.all(polls)).map((answer) => assignedIn(answer).length);
    expect(given).toEqual([4, 2]);
    const url = `/v1/batches/${batch.id}`;
    const waiting = await factory.caller.ok('GET', url);
    expect(waiting).toMatchObject({ vmCounts: { pending: 2, scheduled: 6 }, settled: false });
    expect(waiting.pendingReason).toContain('2 of 8 machines with 1 vCPU and 128 MiB');

    const more = one.exchange({}, 5_000);
    await two.exchange({ capacity: capacityOf(clock, 2, { vcpus: 4, memoryMiB: 8192 }) });
    const rest = assignedIn(await two.exchange({}, 5_000));
    expect(rest.map((vm) => vm.spec.hostname)).toEqual(['wide-7', 'wide-8']);
    expect(await factory.caller.ok('GET', url)).toMatchObject({ state: 'active' });
    await factory.api.close();
    expect((await more).commands).toEqual([]);
  });

  it('turns cores into machines as the cluster plans it', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 2, BIG) });
    const polling = cluster.exchange({}, 5_000);
    const shapes = [
      { vcpus: 4, memoryMiB: 512 },
      { vcpus: 1, memoryMiB: 128 },
    ];
    const request = { name: 'cores', image: 'micro', totalVcpus: 10, shapes };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const asked = (await polling).commands[0]?.command;
    expect(asked).toEqual({ kind: 'planShare', batchId: batch.id, totalVcpus: 10, shapes });
    const machines = [
      { shape: { vcpus: 4, memoryMiB: 512 }, count: 2 },
      { shape: { vcpus: 1, memoryMiB: 128 }, count: 2 },
    ];
    const plan = { batchId: batch.id, machines, unplacedVcpus: 0, reason: '' };
    const vms = assignedIn(await cluster.exchange({ plans: [plan] }, 5_000));
    expect(vms.map((vm) => vm.spec.vcpus)).toEqual([4, 4, 1, 1]);
    // Sent again, it makes no more.
    await cluster.exchange({ plans: [plan] });
    expect(await factory.caller.ok('GET', `/v1/batches/${batch.id}`)).toMatchObject({
      state: 'active',
      count: 4,
      totalVcpus: 10,
      vmCounts: { scheduled: 4 },
    });
  });

  it('promises nothing twice', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 2, BIG) });
    const names = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(
      names.map((name) =>
        factory.caller.ok('POST', '/v1/batches', { name, image: 'micro', count: 5, memoryMiB: 64 }),
      ),
    );
    const counts = await waitFor(clock, 'all plans', 5_000, async () => {
      const { items } = await factory.caller.ok('GET', '/v1/vms');
      return items.length === 25 ? Map.groupBy(items, stateOf) : undefined;
    });
    expect(counts.get('scheduled')).toHaveLength(16);
    expect(counts.get('pending')).toHaveLength(9);
    const { items } = await factory.caller.ok('GET', '/v1/vms');
    const addresses = items.map((vm: { ipAddress: string }) => vm.ipAddress);
    expect(new Set(addresses).size).toBe(25);
  });

  it('fails what found no room in time, and starts it again when asked', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 1, memoryMiB: 64 }) });
    const request = { name: 'late', image: 'micro', count: 1 };
    const { id } = await factory.caller.ok('POST', '/v1/batches', request);
    const url = `/v1/vms?batchId=${id}`;
    const vmIn = (state: string) =>
      waitFor(clock, `state ${state}`, 20_000, async () => {
        const [vm] = (await factory.caller.ok('GET', url)).items;
        return vm?.state === state ? vm : undefined;
      });
    await vmIn('pending');
    const stopped = await factory.caller.call('POST', `/v1/vms/${(await vmIn('pending')).id}:stop`);
    expect(stopped.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_WRONG_STATE' });
    clock.shift(31 * 60_000);
    const failed = await vmIn('failed');
    expect(failed).toMatchObject({ reason: 'NO_CAPACITY' });
    expect(failed.message).toContain('fit nowhere');
    expect(await factory.caller.ok('GET', `/v1/batches/${id}`)).toMatchObject({ settled: true });
    await cluster.exchange({ capacity: capacityOf(clock, 1, BIG) });
    await factory.caller.ok('POST', `/v1/vms/${failed.id}:start`);
    expect(assignedIn(await cluster.exchange({}, 5_000))[0]).toMatchObject({ generation: 2 });
  }, 40_000);
});

function stateOf(vm: { readonly state: string }): string {
  return vm.state;
}

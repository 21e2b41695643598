import { systemClock, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const MINUTE_MS = 60_000;
const LIMITS = {
  pendingMs: 30 * MINUTE_MS,
  scheduledMs: 40 * MINUTE_MS,
  silentMs: MINUTE_MS,
  idempotencyKeptMs: MINUTE_MS,
  operationsKeptMs: MINUTE_MS,
  noncesKeptMs: MINUTE_MS,
};

describeOnEachStore('the sweep of the api-server', (test) => {
  it('fails a machine of which its cluster does not speak, though it is heard, until it does', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 8, memoryMiB: 4096 }) });
    const request = { name: 'unheard', image: 'micro', count: 2, memoryMiB: 64 };
    await factory.caller.ok('POST', '/v1/batches', request);
    const [first, second] = assignedIn(await cluster.exchange({}, 5_000));
    if (first === undefined || second === undefined) throw new Error('two machines are assigned');
    await cluster.exchange({ vms: [cluster.report(second)] });
    const vm = (id: string) => factory.caller.ok('GET', `/v1/vms/${id}`);
    const sweep = () => factory.store.planning.sweep(clock.nowMs(), LIMITS);
    const hear = async (forMs: number) => {
      for (let heardMs = 0; heardMs < forMs; heardMs += 50_000) {
        clock.shift(50_000);
        await cluster.exchange();
      }
    };

    await hear(39 * MINUTE_MS);
    await sweep();
    expect(await vm(first.vmId)).toMatchObject({ state: 'scheduled' });
    await hear(2 * MINUTE_MS);
    const failed = async () => {
      // Does nothing while the api-server sweeps itself.
      await sweep();
      const shown = await vm(first.vmId);
      return shown.state === 'failed' ? shown : undefined;
    };
    expect(await waitFor(systemClock, 'the machine to fail', 30_000, failed)).toMatchObject({
      reason: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('did not say'),
    });
    expect(await vm(second.vmId)).toMatchObject({ state: 'running' });

    await cluster.exchange({ vms: [cluster.report(first)] });
    expect(await vm(first.vmId)).toMatchObject({ state: 'running', reason: null });
  });

  it('fails a machine that got no address in time, and says so; it may ask again', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 }) });
    await caller.ok('POST', '/v1/subnets', { name: 'small', cidr: '10.1.0.0/29' });
    const request = { image: 'micro', memoryMiB: 64, network: { subnet: 'small' } };
    const { id } = await caller.ok('POST', '/v1/batches', { ...request, name: 'full', count: 5 });
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    await caller.ok('POST', '/v1/batches', { ...request, name: 'late', count: 1 });
    const late = async () => (await caller.ok('GET', '/v1/vms?name=late-1')).items[0];
    await waitFor(systemClock, 'the machine to be planned', 30_000, late);
    const failed = async () => {
      // Does nothing while the api-server sweeps itself.
      await factory.store.planning.sweep(clock.nowMs() + 31 * MINUTE_MS, LIMITS);
      const vm = await late();
      return vm.state === 'failed' ? vm : undefined;
    };
    expect(await waitFor(systemClock, 'the machine to fail', 30_000, failed)).toMatchObject({
      reason: 'SUBNET_UNAVAILABLE',
      message: 'subnet small has no free address (5 in use)',
    });
    await caller.ok('DELETE', `/v1/batches/${id}`);
    const gone = vms.map((vm) => cluster.report(vm, { state: 'deleted', generation: 2 }));
    await cluster.exchange({ vms: gone });
    await caller.ok('POST', `/v1/vms/${(await late()).id}:start`);
    const [again] = assignedIn(await cluster.exchange({}, 5_000));
    expect(again?.spec.network.ipAddress).toBe('10.1.0.2');
  });
});

import { createIdGenerator, silentLogger, systemRandom } from '@factory/runtime';
import { expect, it } from 'vitest';
import { PlanningService } from '../planning/service.ts';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const render = { name: 'render', cidr: '10.1.0.0/29' };
const batch = { name: 'b', image: 'micro', memoryMiB: 64 };

describeOnEachStore('addresses', (test) => {
  const joined = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const capacity = capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 });
    await cluster.exchange({ capacity });
    await factory.caller.ok('POST', '/v1/subnets', render);
    const ask = (name: string, count: number, more: object = {}) =>
      factory.caller.call('POST', '/v1/batches', {
        ...batch,
        name,
        count,
        network: { subnet: 'render', ...more },
      });
    const newId = createIdGenerator(clock, systemRandom);
    const { store } = factory;
    const planning = new PlanningService({ store, clock, newId, logger: silentLogger });
    const sweepLater = () => {
      clock.shift(5_000);
      return planning.sweep(clock.nowMs());
    };
    return { cluster, caller: factory.caller, ask, sweepLater };
  };

  it('are asked for by machines without a place in the subnet, until one is free', async () => {
    const { caller, cluster, ask, sweepLater } = await joined();
    const { id } = (await ask('first', 4)).json();
    const first = assignedIn(await cluster.exchange({}, 5_000));
    await ask('second', 3);
    const [fifth] = assignedIn(await cluster.exchange({}, 5_000));
    expect(fifth?.spec).toMatchObject({ hostname: 'second-1', network: { ipAddress: '10.1.0.6' } });
    const full = 'subnet render has no free address (5 in use)';
    const { items } = await caller.ok('GET', '/v1/batches?name=second');
    expect(items).toMatchObject([{ pendingReason: `2 machines without address: ${full}.` }]);
    expect((await caller.ok('GET', '/v1/vms?state=pending')).items).toMatchObject([
      { name: 'second-2', reason: 'SUBNET_UNAVAILABLE', message: full, ipAddress: null },
      { name: 'second-3', reason: 'SUBNET_UNAVAILABLE', message: full, ipAddress: null },
    ]);
    // Wished away is not let go: a host may still have it.
    await caller.ok('DELETE', `/v1/batches/${id}`);
    await sweepLater();
    expect(assignedIn(await cluster.exchange())).toEqual([]);
    // The third lets go first, then the first.
    for (const index of [2, 0]) {
      const vms = first.slice(index, index + 1);
      const report = { state: 'deleted', generation: 2 } as const;
      await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, report)) });
    }
    await sweepLater();
    const after = assignedIn(await cluster.exchange({}, 5_000));
    expect(after.map(({ spec }) => [spec.hostname, spec.network.ipAddress])).toEqual([
      ['second-2', '10.1.0.4'],
      ['second-3', '10.1.0.2'],
    ]);
    expect((await caller.ok('GET', '/v1/batches?name=second')).items[0].pendingReason).toBeNull();
  });

  it('are chosen for a machine that asks for one, and not given to others', async () => {
    const { caller, cluster, ask } = await joined();
    await ask('fixed', 1, { ipAddress: '10.1.0.3' });
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    await ask('others', 2);
    vms.push(...assignedIn(await cluster.exchange({}, 5_000)));
    const addresses = vms.map(({ spec }) => `${spec.hostname} ${spec.network.ipAddress}`).sort();
    expect(addresses).toEqual(['fixed-1 10.1.0.3', 'others-1 10.1.0.2', 'others-2 10.1.0.4']);
    const taken = await ask('again', 1, { ipAddress: '10.1.0.3' });
    expect(taken.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_ADDRESS_TAKEN' });
    const gateway = await ask('gateway', 1, { ipAddress: '10.1.0.1' });
    expect(gateway.json()).toMatchObject({ status: 400, field: 'network.ipAddress' });
    const many = await ask('many', 2, { ipAddress: '10.1.0.5' });
    expect(many.json()).toMatchObject({ status: 400, field: 'network.ipAddress' });
    const { items } = await caller.ok('GET', '/v1/batches');
    expect(items).toHaveLength(2);
  });

  it('are not asked for in vain: a batch larger than its subnet is refused', async () => {
    const { ask } = await joined();
    const refused = (await ask('big', 6)).json();
    expect(refused).toMatchObject({ status: 409, code: 'FACTORY_ERR_SUBNET_FULL' });
    expect(refused.detail).toContain('render has 5 addresses');
  });
});

import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describeOnEachStore('orphans', (test) => {
  /** A machine of which something was found on `host-7`, and something of no machine at all. */
  const found = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const capacity = capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 });
    await cluster.exchange({ capacity });
    const request = { name: 'web', image: 'micro', count: 1, memoryMiB: 64 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const [vm] = assignedIn(await cluster.exchange({}, 5_000));
    if (vm === undefined) throw new Error('a machine is assigned');
    const on = { agentId: 'agent-7', hostName: 'host-7', hasDomain: true, hasFiles: true };
    const hasCards = true;
    const stranger = { ...vm, vmId: `vm_${'f'.repeat(32)}` as typeof vm.vmId };
    const orphans = [
      { vmId: vm.vmId, ...on, hasCards },
      { vmId: stranger.vmId, ...on },
    ];
    await cluster.exchange({ capacity: { ...capacity, orphans } });
    return { factory, cluster, batch, vm, stranger };
  };

  it('are listed with the machine that they belong to; strangers to admins alone', async () => {
    const { factory, vm, stranger } = await found();
    const { items } = await factory.caller.ok('GET', '/v1/orphans');
    expect(items).toMatchObject([
      {
        ...{ vmId: vm.vmId, cluster: 'idc-1', hostName: 'host-7', hasCards: true },
        vm: { state: 'scheduled' },
      },
      { vmId: stranger.vmId, hasCards: false, vm: null },
    ]);
    const seen = await factory.caller.as('member').ok('GET', '/v1/orphans');
    expect(seen.items).toHaveLength(1);
  });

  it('are adopted: the machine is given to its cluster anew, for the host that has it', async () => {
    const { factory, cluster, vm } = await found();
    await factory.caller.ok('POST', `/v1/orphans/${vm.vmId}:adopt`);
    expect(assignedIn(await cluster.exchange())).toMatchObject([
      { vmId: vm.vmId, desired: 'running', assignmentEpoch: 2, lastHost: 'host-7' },
    ]);
  });

  it('are not adopted beside the machine that runs, and not removed before it is deleted', async () => {
    const { factory, cluster, vm } = await found();
    await cluster.exchange({ vms: [cluster.report(vm)] });
    for (const action of ['adopt', 'remove']) {
      const refused = await factory.caller.call('POST', `/v1/orphans/${vm.vmId}:${action}`);
      expect(refused.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_WRONG_STATE' });
    }
    expect(assignedIn(await cluster.exchange())).toEqual([]);
  });

  it('are removed where they are when their machine is deleted', async () => {
    const { factory, cluster, batch, vm } = await found();
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    await cluster.exchange({ vms: [cluster.report(vm, { state: 'deleted', generation: 2 })] });
    await factory.caller.ok('POST', `/v1/orphans/${vm.vmId}:remove`);
    expect(assignedIn(await cluster.exchange())).toMatchObject([
      { vmId: vm.vmId, desired: 'deleted', lastHost: 'host-7', assignmentEpoch: 2 },
    ]);
  });

  it('of no machine of the project are not touched', async () => {
    const { factory, stranger } = await found();
    const url = `/v1/orphans/${stranger.vmId}:remove`;
    expect((await factory.caller.call('POST', url)).statusCode).toBe(409);
    expect((await factory.caller.as('member').call('POST', url)).statusCode).toBe(404);
  });
});

describeOnEachStore('a host that will not come back', (test) => {
  it('is declared gone by an operator, unless it is there', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 8, memoryMiB: 4096 }) });
    const url = (host: string, name = 'idc-1') => `/v1/clusters/${name}/hosts/${host}:declareGone`;
    const status = async (path: string, caller = factory.caller) =>
      (await caller.call('POST', path)).statusCode;
    expect(await status(url('host-0'))).toBe(409);
    expect(await status(url('host-9', 'idc-9'))).toBe(404);
    expect(await status(url('host-9'), factory.caller.as('member'))).toBe(403);
    expect(await status(url('host-9'))).toBe(202);
    const { commands } = await cluster.exchange();
    expect(commands).toMatchObject([{ command: { kind: 'declareHostGone', hostName: 'host-9' } }]);
  });
});

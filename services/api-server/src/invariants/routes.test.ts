import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describeOnEachStore('the auditor', (test) => {
  it('finds nothing wrong at any step of a batch, and tells operators alone', async () => {
    const { factory, clock } = test();
    const audit = () => factory.caller.ok('GET', '/v1/audit/invariants');
    expect(await audit()).toMatchObject({ clean: true, checked: { vms: 0 } });
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    const request = { name: 'web', image: 'micro', count: 3, memoryMiB: 64 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const cores = {
      name: 'farm',
      image: 'micro',
      totalVcpus: 8,
      shapes: [{ vcpus: 2, memoryMiB: 64 }],
    };
    await factory.caller.ok('POST', '/v1/batches', cores);
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    expect(vms).toHaveLength(3);
    const checked = { vms: 3, addresses: 3, batches: 2, clusters: 1 };
    expect(await audit()).toMatchObject({ clean: true, breaches: [], checked });
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
    expect((await audit()).clean).toBe(true);
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    expect((await audit()).clean).toBe(true);
    const gone = vms.map((vm) => cluster.report(vm, { state: 'deleted', generation: 2 }));
    await cluster.exchange({ vms: gone });
    expect(await audit()).toMatchObject({ clean: true, checked: { vms: 0, addresses: 0 } });
    const refused = await factory.caller.as('member').call('GET', '/v1/audit/invariants');
    expect(refused.statusCode).toBe(403);
  });
});

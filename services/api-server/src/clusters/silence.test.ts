import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const HOUR_MS = 3_600_000;

describeOnEachStore('a cluster that is silent', (test) => {
  /** Two clusters with machines, of which `idc-1` has not been heard for an hour. */
  const given = async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const room = { vcpus: 4, memoryMiB: 65_536 };
    const silent = await factory.join('idc-1');
    const heard = await factory.join('idc-2');
    for (const cluster of [silent, heard]) {
      await cluster.exchange({ capacity: capacityOf(clock, 1, room) });
    }
    const request = { name: 'web', image: 'micro', count: 8, memoryMiB: 64 };
    const batch = await caller.ok('POST', '/v1/batches', request);
    const assigned = [];
    for (const cluster of [silent, heard]) {
      const vms = assignedIn(await cluster.exchange({}, 5_000));
      expect(vms).toHaveLength(4);
      const [first, ...others] = vms;
      if (first === undefined) throw new Error('four machines are assigned');
      await cluster.exchange({ vms: others.map((vm) => cluster.report(vm)) });
      assigned.push(...vms);
    }
    const lastWordMs = clock.nowMs();
    clock.shift(HOUR_MS);
    await heard.exchange();
    const list = async (query: string): Promise<{ id: string; stateSince: string }[]> =>
      (await caller.ok('GET', `/v1/vms?limit=100&${query}`)).items;
    return { factory, caller, clock, silent, heard, batch, assigned, lastWordMs, list };
  };

  it('has machines that read unreachable since its last word, in lists and by state', async () => {
    const { caller, batch, assigned, lastWordMs, list } = await given();
    const unreachable = await list('state=unreachable');
    const ofSilent = assigned.slice(0, 4).map((vm) => vm.vmId);
    expect(unreachable.map((vm) => vm.id).sort()).toEqual(ofSilent.toSorted());
    for (const vm of unreachable) {
      expect(vm).toMatchObject({
        state: 'unreachable',
        reason: 'CLUSTER_SILENT',
        guestReady: false,
      });
      expect(Math.abs(Date.parse(vm.stateSince) - lastWordMs)).toBeLessThan(30_000);
      expect(await caller.ok('GET', `/v1/vms/${vm.id}`)).toEqual(vm);
    }
    expect(await list('state=running')).toHaveLength(3);
    expect(await list('state=scheduled')).toHaveLength(1);
    expect(await list(`state=running&batchId=${batch.id}`)).toHaveLength(3);
    expect(await list(`state=unreachable&batchId=${batch.id}`)).toHaveLength(4);
    expect(await list('')).toHaveLength(8);
    expect(await caller.ok('GET', `/v1/batches/${batch.id}`)).toMatchObject({
      vmCounts: { unreachable: 4, running: 3, scheduled: 1 },
      readyCount: 3,
      settled: false,
    });
  });

  it('is paged through like any list', async () => {
    const { caller, list } = await given();
    const all = await list('state=unreachable');
    const first = await caller.ok('GET', '/v1/vms?state=unreachable&limit=3');
    const url = `/v1/vms?state=unreachable&limit=3&cursor=${first.nextCursor}`;
    const second = await caller.ok('GET', url);
    expect([...first.items, ...second.items]).toEqual(all);
    expect(second.nextCursor).toBeNull();
  });

  it('loses nothing: wishes wait for it in order, and its machines are what they were', async () => {
    const { caller, silent, assigned, list } = await given();
    const [, one, two] = assigned;
    if (one === undefined || two === undefined) throw new Error('machines are assigned');
    const stopped = await caller.ok('POST', `/v1/vms/${one.vmId}:stop`);
    expect(stopped).toMatchObject({ state: 'unreachable', desiredState: 'stopped' });
    await caller.ok('POST', `/v1/vms/${two.vmId}:reboot`);
    await caller.ok('DELETE', `/v1/vms/${one.vmId}`);
    const { commands } = await silent.exchange();
    expect(commands.map(({ command }) => command.kind)).toEqual([
      ...['setDesired', 'operate', 'setDesired'],
    ]);
    expect(await list('state=running')).toHaveLength(6);
    expect(await list('state=unreachable')).toHaveLength(0);
  });
});

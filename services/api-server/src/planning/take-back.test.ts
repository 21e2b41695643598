import type { LinkReports } from '@factory/contracts';
import { createIdGenerator, silentLogger, systemRandom, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf, type TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';
import { ReassignService } from './reassign-service.ts';
import { PlanningService } from './service.ts';

describeOnEachStore('a cluster that is silent', (test) => {
  /** Two clusters; the first is the roomier one, so that it is given everything. */
  const twoClusters = async () => {
    const { factory, clock } = test();
    const first = await factory.join('idc-1');
    await first.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    const second = await factory.join('idc-2');
    await second.exchange({ capacity: capacityOf(clock, 2, { vcpus: 64, memoryMiB: 65_536 }) });
    const ask = (name: string, count: number) =>
      factory.caller.ok('POST', '/v1/batches', { name, image: 'micro', count, memoryMiB: 64 });
    const vmsOf = async (batchId: string) =>
      (await factory.caller.ok('GET', `/v1/vms?batchId=${batchId}&limit=100`)).items;
    const allIn = (batchId: string, cluster: TestCluster) =>
      waitFor(clock, `all machines in ${cluster.name}`, 10_000, async () => {
        const vms: readonly { clusterId: string | null }[] = await vmsOf(batchId);
        const isThere = vms.length > 0 && vms.every((vm) => vm.clusterId === cluster.clusterId);
        return isThere ? true : undefined;
      });
    const sweepAfter = async (ms: number) => {
      clock.shift(ms);
      await second.exchange();
      await second.exchange({
        capacity: capacityOf(clock, 2, { vcpus: 64, memoryMiB: 65_536 }),
      });
      await reassign.sweep(clock.nowMs());
    };
    const newId = createIdGenerator(clock, systemRandom);
    const parts = { store: factory.store, clock, newId, logger: silentLogger };
    const reassign = new ReassignService({ ...parts, planning: new PlanningService(parts) });
    return { factory, clock, first, second, ask, vmsOf, allIn, sweepAfter };
  };

  it('is answered nothing that it has not asked for since: a woken poll is empty', async () => {
    const { first, ask, allIn } = await twoClusters();
    const poll = first.post('exchange', first.request({}, 20_000));
    const batch = await ask('web', 2);
    expect((await poll).json()).toEqual({ commands: [] });
    await allIn(batch.id, first);
    expect(assignedIn(await first.exchange())).toHaveLength(2);
  });

  it('loses what it has not claimed to another one, and hears of none of it later', async () => {
    const { first, second, ask, vmsOf, allIn, sweepAfter } = await twoClusters();
    const batch = await ask('web', 3);
    await allIn(batch.id, first);
    await sweepAfter(11_000);
    await allIn(batch.id, second);
    const given = assignedIn(await second.exchange());
    expect(given.map((vm) => vm.assignmentEpoch)).toEqual([2, 2, 2]);
    const late = await first.exchange();
    expect(late.commands.map((each) => each.seq)).toEqual([1]);
    expect(assignedIn(late)).toEqual([]);
    await second.exchange({ vms: given.map((vm) => second.report(vm)) });
    const states = (await vmsOf(batch.id)).map((vm: { state: string }) => vm.state);
    expect(states).toEqual(['running', 'running', 'running']);
  });

  it('keeps what it has claimed, whatever it says of it', async () => {
    const { first, second, ask, vmsOf, allIn, sweepAfter } = await twoClusters();
    const batch = await ask('web', 3);
    await allIn(batch.id, first);
    // Stopped with the answer in its hands.
    const answer = await first.post('exchange', first.request());
    expect(answer.json().commands).toHaveLength(1);
    await sweepAfter(11_000);
    await sweepAfter(11_000);
    expect(assignedIn(await second.exchange())).toEqual([]);
    for (const vm of await vmsOf(batch.id)) expect(vm.clusterId).toBe(first.clusterId);
  });

  it('is given nothing new before it asks again', async () => {
    const { first, second, ask, allIn, sweepAfter } = await twoClusters();
    await allIn((await ask('web', 3)).id, first);
    await sweepAfter(11_000);
    await allIn((await ask('more', 3)).id, second);
    await first.exchange();
    await allIn((await ask('yet-more', 3)).id, first);
  });

  it('lets machines be gone at once that are to be deleted', async () => {
    const { factory, first, ask, vmsOf, allIn, sweepAfter } = await twoClusters();
    const batch = await ask('web', 3);
    await allIn(batch.id, first);
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    await sweepAfter(11_000);
    expect(await vmsOf(batch.id)).toEqual([]);
    const { commands } = await first.exchange();
    expect(commands.map(({ command }) => command)).toEqual([
      { kind: 'assignVms', vms: [] },
      { kind: 'setDesired', changes: [] },
    ]);
  });

  it('has machines taken away that are another cluster’s by now', async () => {
    const { first, second, ask, allIn, sweepAfter } = await twoClusters();
    const batch = await ask('web', 1);
    await allIn(batch.id, first);
    await sweepAfter(11_000);
    await allIn(batch.id, second);
    const [vm] = assignedIn(await second.exchange());
    if (vm === undefined) throw new Error('no machine was assigned');
    // It can't have it; if it says so nevertheless, it must not keep it.
    const older: Partial<LinkReports> = { vms: [first.report(vm, { assignmentEpoch: 1 })] };
    await first.exchange(older);
    const { commands } = await first.exchange({}, 5_000);
    expect(commands.map(({ command }) => command)).toEqual([
      {
        kind: 'setDesired',
        changes: [{ vmId: vm.vmId, assignmentEpoch: 1, generation: 2, desired: 'deleted' }],
      },
    ]);
    await second.exchange({ vms: [second.report(vm)] });
    await first.exchange({ vms: [first.report(vm, { assignmentEpoch: 1, state: 'deleted' })] });
    expect((await first.exchange()).commands).toEqual([]);
  });
});

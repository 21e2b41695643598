import { waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';

describeOnEachStore('scheduling between projects and clusters', (test) => {
  const twoClusters = async () => {
    const { factory, clock } = test();
    const capacity = (hosts: number) => capacityOf(clock, hosts, { vcpus: 4, memoryMiB: 65_536 });
    const first = await factory.join('idc-1');
    await first.exchange({ capacity: capacity(2) });
    const second = await factory.join('idc-2');
    await second.exchange({ capacity: capacity(1) });
    const ask = (name: string, count: number, more: object = {}) =>
      factory.caller.ok('POST', '/v1/batches', {
        ...{ name, image: 'micro', count, memoryMiB: 64 },
        ...more,
      });
    const reasonOf = (id: string) =>
      waitFor(clock, 'a reason', 10_000, async () => {
        const { pendingReason } = await factory.caller.ok('GET', `/v1/batches/${id}`);
        return pendingReason ?? undefined;
      });
    return { factory, clock, first, second, ask, reasonOf, capacity };
  };

  it('keeps rules on clusters, for operators alone', async () => {
    const { factory } = await twoClusters();
    const { caller } = factory;
    const { projectId } = caller;
    const rule = { cluster: 'idc-2', kind: 'allowed', projectId };
    const kept = await caller.ok('POST', '/v1/cluster-policies', rule);
    const changed = await caller.ok('POST', '/v1/cluster-policies', { ...rule, kind: 'preferred' });
    expect(changed).toMatchObject({ id: kept.id, kind: 'preferred', organisationId: null });
    expect((await caller.ok('GET', '/v1/cluster-policies')).items).toEqual([changed]);
    const stranger = caller.as('admin', otherProject());
    expect((await stranger.call('GET', '/v1/cluster-policies')).statusCode).toBe(403);
    expect((await stranger.call('POST', '/v1/cluster-policies', rule)).statusCode).toBe(403);
    const nobody = { ...rule, projectId: otherProject() };
    expect((await caller.call('POST', '/v1/cluster-policies', nobody)).statusCode).toBe(404);
    const nowhere = { ...rule, cluster: 'idc-9' };
    expect((await caller.call('POST', '/v1/cluster-policies', nowhere)).statusCode).toBe(404);
    expect(
      (await caller.call('POST', '/v1/cluster-policies', { ...rule, projectId: undefined }))
        .statusCode,
    ).toBe(400);
    await caller.ok('DELETE', `/v1/cluster-policies/${kept.id}`);
    expect((await caller.ok('GET', '/v1/cluster-policies')).items).toEqual([]);
    expect((await caller.call('DELETE', `/v1/cluster-policies/${kept.id}`)).statusCode).toBe(404);
  });

  it('places by policy and selector, and says when that leaves nothing', async () => {
    const { factory, first, second, ask, reasonOf } = await twoClusters();
    const { projectId } = factory.caller;
    await factory.caller.ok('POST', '/v1/cluster-policies', {
      ...{ cluster: 'idc-2', kind: 'allowed', projectId },
    });
    await ask('web', 2);
    expect(assignedIn(await second.exchange({}, 5_000))).toHaveLength(2);
    const elsewhere = await ask('there', 1, { clusters: { names: ['idc-1'] } });
    expect(await reasonOf(elsewhere.id)).toContain(
      'idc-1 is not among the clusters that are allowed',
    );
    expect(assignedIn(await first.exchange())).toEqual([]);
  });

  it('keeps newcomers behind those that wait, but for their priority', async () => {
    const { first, second, ask, reasonOf, capacity } = await twoClusters();
    await ask('fill', 12);
    expect(assignedIn(await first.exchange({}, 5_000))).toHaveLength(8);
    expect(assignedIn(await second.exchange({}, 5_000))).toHaveLength(4);
    const waits = await ask('waits', 4);
    await reasonOf(waits.id);
    const urgent = await ask('urgent', 4, { priority: 5 });
    await reasonOf(urgent.id);
    // Room for four, as if other machines had gone.
    const report = capacity(1);
    const full = report.hosts.map((host) => ({ ...host, freeVcpus: 0 }));
    await second.exchange({ capacity: { ...report, hosts: full } });
    const given = assignedIn(await second.exchange({ capacity: report }, 8_000));
    expect(new Set(given.map((vm) => vm.batchId))).toEqual(new Set([urgent.id]));
  });

  it('counts what projects hold, for their weights', async () => {
    const { factory, clock, ask, first } = await twoClusters();
    const { projectId } = factory.caller;
    await factory.caller.ok('PUT', `/v1/fair-shares/${projectId}`, { weight: 2.5 });
    await ask('web', 8);
    expect(assignedIn(await first.exchange({}, 5_000))).toHaveLength(8);
    await factory.store.fairShares.count(clock.nowMs() + 3_600_000, 0);
    const [share] = (await factory.caller.ok('GET', '/v1/fair-shares')).items;
    expect(share).toMatchObject({ projectId, weight: 2.5 });
    // Eight vCPUs for one half-life.
    expect(share.usedVcpus).toBeGreaterThan(3.9);
    expect(share.usedVcpus).toBeLessThan(4.1);
    const unknown = `/v1/fair-shares/${otherProject()}`;
    expect((await factory.caller.call('PUT', unknown, { weight: 1 })).statusCode).toBe(404);
  });

  it('deletes preemptible machines for others that find no room, and says so', async () => {
    const { factory, clock, first, second, ask, capacity } = await twoClusters();
    const cheap = await ask('cheap', 12, { preemptible: true });
    const given = assignedIn(await first.exchange({}, 5_000));
    const onHost = given.map((vm, index) =>
      first.report(vm, { hostName: `host-${index % 2}`, state: 'running' }),
    );
    await first.exchange({ vms: onHost });
    const full = capacity(2);
    const hosts = full.hosts.map((host) => ({ ...host, freeVcpus: 0 }));
    await first.exchange({ capacity: { ...full, hosts } });
    await second.exchange({}, 5_000);
    const urgent = await ask('urgent', 1, { vcpus: 2 });
    clock.shift(11_000);
    // A little more room than before: a reason to plan at once.
    const stir = full.hosts.map((host) => ({ ...host, freeVcpus: 0.5 }));
    await second.exchange();
    const { commands } = await first.exchange({ capacity: { ...full, hosts: stir } }, 12_000);
    const wished = commands.flatMap(({ command }) =>
      command.kind === 'setDesired' ? command.changes : [],
    );
    expect(wished.map((change) => change.desired)).toEqual(['deleted', 'deleted']);
    const gone = given.filter((vm) => wished.some((change) => change.vmId === vm.vmId));
    const deleted = { state: 'deleted' as const, generation: 2 };
    await first.exchange({ vms: gone.map((vm) => first.report(vm, deleted)) });
    const batch = await factory.caller.ok('GET', `/v1/batches/${cheap.id}`);
    expect(batch).toMatchObject({ preemptedCount: 2, vmCounts: { deleted: 2 } });
    const [vm] = gone;
    expect(await factory.caller.ok('GET', `/v1/vms/${vm?.vmId}`)).toMatchObject({
      ...{ state: 'deleted', reason: 'PREEMPTED' },
    });
    const free = full.hosts.map((host, index) => ({ ...host, freeVcpus: index === 0 ? 2 : 0 }));
    const freed = { ...full, hosts: free, observedAtMs: clock.nowMs() };
    const placed = assignedIn(await first.exchange({ capacity: freed }, 12_000));
    expect(placed.map((each) => each.batchId)).toEqual([urgent.id]);
  });
});

import type { OperationId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { assignment, batchIdNumber, report, vmIdNumber } from './testing/samples.ts';
import { host, World } from './testing/world.ts';

const assignVms = (...ns: readonly number[]) =>
  ({ kind: 'assignVms', vms: ns.map(assignment) }) as const;

/** A world with a cluster that is linked. */
async function linked(...options: Parameters<typeof World.create>) {
  const world = await World.create(...options);
  const service = world.start();
  await world.clock.runUntil(() => world.apiServer.exchanges.length > 0, 120_000, 'the link');
  return { ...world, world, service };
}

describe('a cluster-server', () => {
  it('enrols once, opens a session at each start, and signs what it sends', async () => {
    const { world, service } = await linked();
    await world.clock.run(1_000);
    expect(world.apiServer.epoch).toBe(1);
    expect((await world.store.loadIdentity())?.clusterId).toBe(world.apiServer.clusterId);
    await world.stop(service);
    const second = world.start(null);
    await world.clock.run(1_000);
    expect(world.apiServer.epoch).toBe(2);
    await world.stop(second);
  });

  it('without a token and an identity goes on without the link', async () => {
    const world = await World.create();
    const service = world.start(null);
    await world.clock.run(10_000);
    expect(world.apiServer.exchanges).toEqual([]);
    const ready = await service.app.inject('/health/ready');
    expect(ready.statusCode).toBe(503);
    await world.stop(service);
  });

  it('hands commands to the vm-scheduler at once and acknowledges them', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    await world.clock.run(500);
    const startMs = world.clock.monotonicMs();
    apiServer.command(assignVms(1, 2));
    await world.clock.runUntil(() => vmScheduler.puts.length > 0, 1_000);
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(10);
    const operationId = `op_${'1'.padStart(32, '0')}` as OperationId;
    const vmId = vmIdNumber(1);
    apiServer.command({
      kind: 'setDesired',
      changes: [{ vmId, generation: 2, desired: 'stopped' }],
    });
    const last = apiServer.command({
      kind: 'operate',
      operations: [{ operationId, vmId, kind: 'reboot' }],
    });
    await world.clock.runUntil(() => apiServer.acknowledgedSeq === last, 5_000);
    expect(vmScheduler.puts).toHaveLength(1);
    expect(vmScheduler.desired).toHaveLength(1);
    expect(vmScheduler.operations).toHaveLength(1);
    await world.stop(service);
  });

  it('tries a command again when the vm-scheduler is away, and keeps their order', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    world.network.detach('http://vm-scheduler');
    apiServer.command(assignVms(1));
    const vmId = vmIdNumber(1);
    const last = apiServer.command({
      kind: 'setDesired',
      changes: [{ vmId, generation: 2, desired: 'deleted' }],
    });
    await world.clock.run(20_000);
    expect(apiServer.acknowledgedSeq).toBe(0);
    await world.network.attach('http://vm-scheduler', vmScheduler.app);
    await world.clock.runUntil(() => apiServer.acknowledgedSeq === last, 60_000);
    expect(vmScheduler.puts.at(-1)?.[0]?.vmId).toBe(vmId);
    expect(vmScheduler.desired).toHaveLength(1);
    await world.stop(service);
  });

  it('ends when another one has taken over the cluster', async () => {
    const { world, apiServer } = await linked();
    apiServer.epoch += 1;
    apiServer.wake();
    await world.clock.run(30_000);
    expect(world.fencedCount).toBe(1);
    const count = apiServer.exchanges.length;
    await world.clock.run(60_000);
    expect(apiServer.exchanges).toHaveLength(count);
  });
});

describe('reports', () => {
  it('go up the moment something changes', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    await world.clock.run(1_000);
    const startMs = world.clock.monotonicMs();
    vmScheduler.changed(report(1, 100, 'running'));
    await world.clock.runUntil(() => apiServer.newestReport(vmIdNumber(1)) !== undefined, 1_000);
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(10);
    await world.clock.run(100);
    expect(await world.store.loadReportedRevision()).toBe(100);
    await world.stop(service);
  });

  it('gather while the link is cut: only the last word of each VM goes up then', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    world.network.cut('cluster-server', 'http://api');
    for (let revision = 101; revision <= 150; revision += 1) {
      vmScheduler.changed(report(1, revision, revision === 150 ? 'stopped' : 'running'));
      await world.clock.run(200);
    }
    expect(apiServer.newestReport(vmIdNumber(1))).toBeUndefined();
    world.network.heal();
    const isThere = () => apiServer.newestReport(vmIdNumber(1))?.revision === 150;
    await world.clock.runUntil(isThere, 120_000);
    const sent = apiServer.exchanges.flatMap(({ reports }) => reports.vms);
    expect(sent.length).toBeLessThan(5);
    await world.stop(service);
  });

  it('of what happened while no cluster-server ran go up after its start, others do not', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    vmScheduler.changed(report(1, 100));
    await world.clock.run(500);
    await world.stop(service);
    vmScheduler.changed(report(2, 200, 'deleted'));
    const before = apiServer.exchanges.length;
    const second = world.start(null);
    await world.clock.run(2_000);
    const sent = apiServer.exchanges.slice(before).flatMap(({ reports }) => reports.vms);
    expect(new Set(sent.map(({ vmId }) => vmId))).toEqual(new Set([vmIdNumber(2)]));
    const picture = await second.app.inject('/v1/picture');
    expect(picture.json()).toMatchObject({ vmCounts: { running: 1 } });
    await world.stop(second);
  });

  it('tell the vm-scheduler how far they have come', async () => {
    const { world, vmScheduler, service } = await linked();
    vmScheduler.changed(report(1, 100));
    await world.clock.run(1_000);
    vmScheduler.changed(report(1, 101));
    await world.clock.run(1_000);
    expect(vmScheduler.queries.at(-1)).toMatchObject({ after: 101, reported: 100 });
    await world.stop(service);
  });
});

describe('plans', () => {
  const planShare = {
    kind: 'planShare',
    batchId: batchIdNumber(7),
    totalVcpus: 10,
    shapes: [
      { vcpus: 4, memoryMiB: 512 },
      { vcpus: 1, memoryMiB: 512 },
    ],
  } as const;

  it('go up no later than the acknowledgement of what asked for them', async () => {
    const { world, apiServer, service } = await linked();
    const seq = apiServer.command({ ...planShare, shapes: [...planShare.shapes] });
    await world.clock.runUntil(() => apiServer.acknowledgedSeq === seq, 5_000);
    const acknowledging = apiServer.exchanges.findIndex((each) => each.appliedCommandSeq >= seq);
    const until = apiServer.exchanges.slice(0, acknowledging + 1);
    expect(until.flatMap(({ reports }) => reports.plans)).toEqual([
      {
        batchId: batchIdNumber(7),
        machines: [
          { shape: { vcpus: 4, memoryMiB: 512 }, count: 2 },
          { shape: { vcpus: 1, memoryMiB: 512 }, count: 2 },
        ],
        unplacedVcpus: 0,
        reason: '',
      },
    ]);
    await world.stop(service);
  });

  it('wait for the hosts to be known', async () => {
    const world = await World.create();
    world.hostsFailure = new Error('no master');
    const seq = world.apiServer.command({ ...planShare, shapes: [...planShare.shapes] });
    const service = world.start();
    await world.clock.run(5_000);
    expect(world.apiServer.acknowledgedSeq).toBe(0);
    world.hostsFailure = undefined;
    await world.clock.runUntil(() => world.apiServer.acknowledgedSeq === seq, 60_000);
    const plans = world.apiServer.exchanges.flatMap(({ reports }) => reports.plans);
    expect(plans[0]?.unplacedVcpus).toBe(0);
    await world.stop(service);
  });
});

describe('the capacity', () => {
  it('goes up at the start, when it changes, and again from time to time', async () => {
    const { world, apiServer, service } = await linked();
    // Both lanes may bring the same one.
    const capacities = () => {
      const all = apiServer.exchanges.flatMap(({ reports }) => reports.capacity ?? []);
      return [...new Map(all.map((each) => [each.observedAtMs, each])).values()];
    };
    await world.clock.run(5_000);
    expect(capacities()).toHaveLength(1);
    expect(capacities()[0]).toMatchObject({ hosts: [{ freeVcpus: 16 }], images: ['micro'] });
    world.hosts = [host(1, 12, 16_384)];
    await world.clock.run(3_000);
    expect(capacities()).toHaveLength(2);
    await world.clock.run(20_000);
    expect(capacities()).toHaveLength(3);
    await world.stop(service);
  });

  it('that comes with an acknowledgement has the promised VMs in it', async () => {
    const { world, apiServer, vmScheduler, service } = await linked();
    await world.clock.run(1_000);
    world.network.setFaults({ delayMs: [20, 400] });
    world.hostsDelayMs = 300;
    for (let n = 1; n <= 60; n += 1) {
      world.hosts = [host(1, 16, 16_384 - n)];
      vmScheduler.waiting = { vcpus: 2 * (n - 1), memoryMiB: 1_072 * (n - 1) };
      apiServer.command(assignVms(n));
      await world.clock.run(150 + ((n * 7_919) % 700));
    }
    const withCapacity = apiServer.exchanges.flatMap(({ appliedCommandSeq, reports }) =>
      reports.capacity === undefined ? [] : [{ appliedCommandSeq, ...reports.capacity }],
    );
    expect(new Set(withCapacity.map((each) => each.appliedCommandSeq)).size).toBeGreaterThan(10);
    for (const { appliedCommandSeq, promisedVcpus } of withCapacity) {
      expect(promisedVcpus).toBeGreaterThanOrEqual(appliedCommandSeq * 2);
    }
    world.network.setFaults({ delayMs: [1, 1] });
    world.hostsDelayMs = 0;
    await world.clock.runUntil(() => apiServer.acknowledgedSeq === 60, 60_000);
    vmScheduler.waiting = { vcpus: 6, memoryMiB: 3_000 };
    vmScheduler.changed(report(1, 100, 'scheduled'));
    await world.clock.run(20_000);
    const last = apiServer.exchanges.flatMap(({ reports }) => reports.capacity ?? []).at(-1);
    expect(last).toMatchObject({ promisedVcpus: 6, promisedMemoryMiB: 3_000 });
    await world.stop(service);
  });
});

describe.each([1, 2, 3])('on a bad network (seed %i)', (seed) => {
  it('every command is applied, in order, and every last word arrives', async () => {
    const faults = {
      dropRequest: 0.1,
      dropResponse: 0.1,
      duplicate: 0.1,
      delayMs: [1, 200],
    } as const;
    const { world, apiServer, vmScheduler, service } = await linked(seed, {});
    world.network.setFaults(faults);
    for (let n = 1; n <= 20; n += 1) {
      apiServer.command(assignVms(n));
      const vmId = vmIdNumber(n);
      apiServer.command({
        kind: 'setDesired',
        changes: [{ vmId, generation: 2, desired: 'stopped' }],
      });
      vmScheduler.changed(report(n, 1_000 + n, 'running'));
      await world.clock.run(700);
      vmScheduler.changed(report(n, 2_000 + n, 'stopped'));
    }
    const isDone = () =>
      apiServer.acknowledgedSeq === 40 &&
      Array.from({ length: 20 }, (_, index) => vmIdNumber(index + 1)).every(
        (vmId) => apiServer.newestReport(vmId)?.state === 'stopped',
      );
    await world.clock.runUntil(isDone, 3_600_000, 'everything to arrive');
    // First arrivals are in order, whatever comes twice.
    const firsts = [...new Set(vmScheduler.puts.flatMap((vms) => vms.map(({ vmId }) => vmId)))];
    expect(firsts).toEqual(firsts.toSorted());
    expect(firsts).toHaveLength(20);
    expect(world.fencedCount).toBe(0);
    world.network.setFaults({ dropRequest: 0, dropResponse: 0, duplicate: 0, delayMs: [1, 1] });
    await world.stop(service);
  });
});

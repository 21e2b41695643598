import { LINK_PROTOCOL_VERSION, type VmId, type VmSample } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf, type TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

const sampleOf = (vmId: VmId, cpuPercent: number): VmSample => ({
  ...{ vmId, cpuPercent, atMs: 1_000, memoryMiB: 64, residentMiB: 32 },
  ...{ diskReadBytes: 1, diskWriteBytes: 2, diskReads: 3, diskWrites: 4 },
  ...{ netReceivedBytes: 5, netSentBytes: 6, netReceivedPackets: 7, netSentPackets: 8 },
});

describeOnEachStore('what machines use', (test) => {
  const withVms = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 8, memoryMiB: 4_096 }) });
    const request = { name: 'web', image: 'micro', count: 3, memoryMiB: 64 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const vmIds = assignedIn(await cluster.exchange({}, 5_000)).map(({ vmId }) => vmId);
    const tell = (samples: readonly VmSample[], by: TestCluster = cluster) => {
      const { epoch } = by;
      return by.post('metrics', { protocolVersion: LINK_PROTOCOL_VERSION, epoch, samples });
    };
    const [first, second] = vmIds;
    if (first === undefined || second === undefined) throw new Error('three machines');
    const of = (id: VmId) => factory.caller.ok('GET', `/v1/vms/${id}/metrics`);
    return { factory, clock, cluster, batch, first, second, tell, of };
  };

  it('is shown as it was told last, and of others nothing', async () => {
    const { first, second, tell, of } = await withVms();
    expect(await of(first)).toEqual({ vmId: first, latest: null });
    expect((await tell([sampleOf(first, 10), sampleOf(second, 20)])).statusCode).toBe(200);
    const { vmId, ...latest } = sampleOf(first, 10);
    expect(await of(first)).toEqual({ vmId, latest });
    await tell([sampleOf(first, 11)]);
    expect((await of(first)).latest.cpuPercent).toBe(11);
    expect((await of(second)).latest).toBeNull();
  });

  it('is listed by pages', async () => {
    const { factory, batch, first, second, tell } = await withVms();
    await tell([sampleOf(first, 10), sampleOf(second, 20)]);
    const seen: unknown[] = [];
    let cursor = '';
    do {
      const query = `batchId=${batch.id}&limit=2${cursor}`;
      const page = await factory.caller.ok('GET', `/v1/metrics?${query}`);
      seen.push(...page.items.map((each: { latest: VmSample | null }) => each.latest?.cpuPercent));
      cursor = page.nextCursor === null ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
    } while (cursor !== '');
    expect(seen).toEqual([10, 20, undefined]);
  });

  it('is no more shown when the cluster is silent', async () => {
    const { first, tell, of, clock } = await withVms();
    await tell([sampleOf(first, 10)]);
    clock.shift(10 * 60_000);
    expect((await of(first)).latest).toBeNull();
  });

  it('is taken from the machines own cluster and its newest session alone', async () => {
    const { factory, cluster, first, tell, of } = await withVms();
    const other = await factory.join('idc-2');
    await tell([sampleOf(first, 99)], other);
    expect((await of(first)).latest).toBeNull();
    const { epoch } = cluster;
    await cluster.openSession();
    const stale = await cluster.post('metrics', {
      ...{ protocolVersion: LINK_PROTOCOL_VERSION, epoch, samples: [sampleOf(first, 98)] },
    });
    expect([stale.statusCode, stale.json().code]).toEqual([409, 'FACTORY_ERR_STALE_EPOCH']);
    expect((await of(first)).latest).toBeNull();
  });

  it('of the last hour is asked of its host', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const { vmId: _, ...point } = sampleOf(first.vmId, 10);
    const url = `/v1/vms/${first.vmId}/metrics/history?sinceMs=500`;
    const asking = factory.caller.ok('GET', url);
    const { commands } = await cluster.exchange({}, 5_000);
    const [command] = commands.flatMap((each) =>
      each.command.kind === 'operate' ? each.command.operations : [],
    );
    expect(command).toMatchObject({ kind: 'metricsHistory', params: { sinceMs: 500 } });
    if (command === undefined) throw new Error('nobody is asked');
    const { operationId, vmId } = command;
    const data = { kind: 'metricsHistory' as const, samples: [point] };
    const outcome = 'succeeded' as const;
    const result = { operationId, vmId, outcome, message: '', output: '', data };
    await cluster.exchange({ operations: [result] });
    expect(await asking).toEqual({ vmId: first.vmId, samples: [point] });
  });

  it('is not for other projects', async () => {
    const { factory, first, tell } = await withVms();
    await tell([sampleOf(first, 10)]);
    const stranger = factory.caller.as('admin', otherProject());
    expect((await stranger.call('GET', `/v1/vms/${first}/metrics`)).statusCode).toBe(404);
  });
});

import { silentLogger } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';
import { buildReport, type Fate, type ReportTally } from './report.ts';
import { BatchTermsDuty } from './terms.ts';

describe('a report', () => {
  it('adds up: what was asked for is what was made, failed, was withdrawn or not placed', () => {
    const tally = fc.record({
      clusterId: fc.constant(null),
      clusterName: fc.constant(null),
      fate: fc.constantFrom<Fate>('made', 'failed', 'withdrawn', 'unplaced'),
      reason: fc.constantFrom('NO_CAPACITY', 'DISK_FULL', null),
      machines: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(tally), fc.nat(20), (found, missing) => {
        const tallies: ReportTally[] = found.map((each) => ({ ...each, vcpus: 2 * each.machines }));
        const planned = tallies.reduce((sum, { machines }) => sum + machines, 0);
        const count = planned + missing;
        const size = { kind: 'count', count, shape: { vcpus: 2, memoryMiB: 64 } } as const;
        const batch = { id: 'bat_1' as never, name: 'b', size, createdAtMs: 0 };
        const input = { batch, failure: null, tallies, startedAfterMs: null };
        const { asked, made, failed, withdrawn, unplaced, reasons } = buildReport(input, 0, true);
        const parts = [made, failed, withdrawn, unplaced];
        expect(asked).toEqual({ machines: count, vcpus: 2 * count });
        expect(parts.reduce((sum, { machines }) => sum + machines, 0)).toBe(count);
        expect(parts.reduce((sum, { vcpus }) => sum + vcpus, 0)).toBe(2 * count);
        expect(reasons.reduce((sum, { machines }) => sum + machines, 0)).toBe(failed.machines);
      }),
    );
  });
});

describeOnEachStore('the report of a batch', (test) => {
  it('tells exactly what became of it, and stays when the machines are gone', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const room = { vcpus: 3, memoryMiB: 65_536 };
    await cluster.exchange({ capacity: capacityOf(clock, 1, room) });
    const polling = cluster.exchange({}, 20_000);
    const request = { name: 'b', image: 'micro', count: 4, memoryMiB: 64, deadlineSeconds: 60 };
    const { id } = await factory.caller.ok('POST', '/v1/batches', request);
    const vms = assignedIn(await polling);
    const [broken, ...good] = vms;
    if (broken === undefined) throw new Error('machines are assigned');
    const url = `/v1/batches/${id}/report`;
    expect(await factory.caller.ok('GET', url)).toMatchObject({
      ...{ final: false, asked: { machines: 4, vcpus: 4 }, unplaced: { machines: 4, vcpus: 4 } },
    });
    const failed = { state: 'failed', reason: 'DISK_FULL', message: 'full', timeline: {} } as const;
    const reports = [cluster.report(broken, failed), ...good.map((vm) => cluster.report(vm))];
    await cluster.exchange({ vms: reports });
    clock.shift(60_000);
    const duty = new BatchTermsDuty({ store: factory.store, logger: silentLogger });
    await duty.sweep(clock.nowMs());
    const report = await factory.caller.ok('GET', url);
    expect(report).toMatchObject({
      ...{ batchId: id, final: true, failure: null, asked: { machines: 4, vcpus: 4 } },
      ...{ made: { machines: 2 }, failed: { machines: 2 }, unplaced: { machines: 0 } },
      reasons: [
        { reason: 'DISK_FULL', machines: 1 },
        { reason: 'NO_CAPACITY', machines: 1 },
      ],
      clusters: [{ name: 'idc-1', made: 2, failed: 1, withdrawn: 0, unplaced: 0 }],
    });
    expect(report.seconds.first).toBeLessThanOrEqual(report.seconds.last);
    await factory.caller.ok('DELETE', `/v1/batches/${id}`);
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, { state: 'deleted' })) });
    expect(await factory.caller.ok('GET', url)).toEqual(report);
  });

  it('of one that was deleted on its way tells how far it had come', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 0, memoryMiB: 64 }) });
    const request = { name: 'b', image: 'micro', count: 4, memoryMiB: 64 };
    const { id } = await factory.caller.ok('POST', '/v1/batches', request);
    await factory.caller.ok('DELETE', `/v1/batches/${id}`);
    const report = await factory.caller.ok('GET', `/v1/batches/${id}/report`);
    const left = { made: { machines: 0, vcpus: 0 }, unplaced: { machines: 4, vcpus: 4 } };
    expect(report).toMatchObject({ final: true, seconds: null, clusters: [], ...left });
  });
});

import {
  standing,
  USAGE_OF_STATE,
  type UsageRow,
  VM_STATES,
  type VmState,
} from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreTest } from '../testing/each-store.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';
import { csvLine } from './csv.ts';
import { HOUR_S, OPEN, type UsageInterval } from './store.ts';
import { sumIntervals } from './sums.ts';

const HOUR_MS = HOUR_S * 1000;
const ALL = '/v1/usage?from=2026-01-01T00:00:00Z';

function hourBefore(ms: number): string {
  return new Date(ms - (ms % HOUR_MS)).toISOString();
}

/** A running machine of one core for exactly `seconds`, then stopped for as long. */
async function used(test: StoreTest, seconds: number) {
  const { factory, clock } = test;
  const { cluster, vms, first } = await withRunning(factory, clock, 1);
  const vm = await factory.caller.ok('GET', `/v1/vms/${first.vmId}`);
  const beganMs = Date.parse(vm.stateSince);
  const tell = (state: 'stopped' | 'deleted' | 'running', atMs: number) =>
    cluster.exchange({
      vms: vms.map((each) => cluster.report(each, { state, stateSinceMs: atMs })),
    });
  clock.shift(2 * seconds * 1000 + 10_000);
  await tell('stopped', beganMs + seconds * 1000);
  await tell('deleted', beganMs + 2 * seconds * 1000);
  return { cluster, beganMs };
}

describeOnEachStore('usage', (test) => {
  const rows = async (url: string): Promise<readonly UsageRow[]> =>
    (await test().factory.caller.ok('GET', url)).items;

  it('counts cores by the second while a machine is on, and its disk until it is deleted', async () => {
    const { factory } = test();
    const { beganMs } = await used(test(), 5 * HOUR_S);
    const from = hourBefore(beganMs);
    const url = `/v1/usage?from=${from}`;
    const [before] = await rows(url);
    expect(before?.coreHours).toBeCloseTo(5, 2);
    expect(before?.machineHours).toBeCloseTo(5, 2);
    expect(before?.memoryGiBHours).toBeCloseTo((5 * 64) / 1024, 2);
    expect(before?.diskGiBHours).toBeGreaterThan(9);
    await factory.store.usage.rollUp(Math.floor(test().clock.nowMs() / 1000));
    expect(await rows(url)).toEqual([before]);
    const byHour = await rows(`${url}&groupBy=hour,cluster`);
    expect(byHour.length).toBeGreaterThanOrEqual(10);
    expect(byHour[0]).toMatchObject({ from, cluster: 'idc-1' });
    const sum = byHour.reduce((total, row) => total + row.coreHours, 0);
    expect(sum).toBeCloseTo(before?.coreHours ?? 0, 6);
  });

  it('counts what a cluster tells late from when it says that it was, in hours that have their sums', async () => {
    const { factory, clock } = test();
    const { cluster, vms, first } = await withRunning(factory, clock, 1);
    const vm = await factory.caller.ok('GET', `/v1/vms/${first.vmId}`);
    const beganMs = Date.parse(vm.stateSince);
    clock.shift(6 * HOUR_MS);
    const rollUp = () => factory.store.usage.rollUp(Math.floor(clock.nowMs() / 1000));
    await rollUp();
    const url = `/v1/usage?from=${hourBefore(beganMs)}`;
    expect((await rows(url))[0]?.coreHours).toBeCloseTo(6, 2);
    const stateSinceMs = beganMs + 2 * HOUR_MS;
    await cluster.exchange({
      vms: vms.map((each) => cluster.report(each, { state: 'stopped', stateSinceMs })),
    });
    await rollUp();
    expect((await rows(url))[0]?.coreHours).toBeCloseTo(2, 2);
  });

  it('does not believe a cluster that a machine ran before it was given to it, or will run', async () => {
    const { factory, clock } = test();
    const { cluster, vms } = await withRunning(factory, clock, 1);
    clock.shift(HOUR_MS);
    const later = { state: 'stopped', stateSinceMs: clock.nowMs() + 50 * HOUR_MS } as const;
    await cluster.exchange({ vms: vms.map((each) => cluster.report(each, later)) });
    clock.shift(100 * HOUR_MS);
    expect((await rows(ALL))[0]?.coreHours).toBeLessThan(1.1);
  });

  it('counts of a machine what is to be counted in its state', async () => {
    const { factory, clock } = test();
    const { cluster, vms } = await withRunning(factory, clock, VM_STATES.length);
    const states = new Map(vms.map((vm, index) => [vm.vmId, VM_STATES[index] ?? 'running']));
    await cluster.exchange({
      vms: vms.map((vm) => cluster.report(vm, standingOf(states.get(vm.vmId) ?? 'running'))),
    });
    const { intervals } = await intervalsOf(test());
    for (const [vmId, state] of states) {
      const open = intervals.filter((each) => each.vmId === vmId && each.toS === OPEN);
      const kind = USAGE_OF_STATE[state];
      const expected = kind === 'nothing' ? [] : [kind === 'all' ? 1 : 0];
      expect(
        open.map((each) => each.vcpus),
        state,
      ).toEqual(expected);
    }
  });

  it('is given as CSV, in sums and by the second', async () => {
    const { factory } = test();
    const { beganMs } = await used(test(), HOUR_S);
    const from = hourBefore(beganMs);
    const sums = await factory.caller.call('GET', `/v1/usage?from=${from}&format=csv`);
    expect(sums.headers['content-type']).toContain('text/csv');
    expect(sums.body.split('\r\n')[0]).toContain('machineHours,coreHours');
    const records = await factory.caller.call('GET', `/v1/usage/records?from=${from}`);
    const lines = records.body.trim().split('\r\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]?.split(',')[2]).toBe('3600');
  });

  it('is shown to the project, the organisation and the owner of the cluster alone', async () => {
    const { factory } = test();
    await used(test(), HOUR_S);
    const stranger = factory.caller.as('admin', otherProject());
    expect((await stranger.ok('GET', ALL)).items[0]).toMatchObject({ coreHours: 0 });
    const { items } = await factory.caller.ok(
      'GET',
      `${ALL.replace('usage', 'clusters/idc-1/usage')}`,
    );
    expect(items[0]?.coreHours).toBeCloseTo(1, 2);
    const foreign = await stranger.call('GET', ALL.replace('usage', 'clusters/idc-1/usage'));
    expect(foreign.statusCode).toBe(404);
    const viewer = await factory.caller.as('viewer').call('GET', `${ALL}&of=organisation`);
    expect(viewer.statusCode).toBe(403);
  });

  it('says what is wrong with a period', async () => {
    const { caller } = test().factory;
    const odd = await caller.call('GET', '/v1/usage?from=2026-01-01T00:30:00Z');
    expect(odd.json()).toMatchObject({ status: 400, field: 'from' });
    const groups = await caller.call('GET', `${ALL}&groupBy=minute`);
    expect(groups.json()).toMatchObject({ status: 400, field: 'groupBy' });
  });

  it('has the same sums whatever the order of the reports, and however often they come', async () => {
    const { factory, clock } = test();
    const { cluster, vms, first } = await withRunning(factory, clock, 1);
    const vm = await factory.caller.ok('GET', `/v1/vms/${first.vmId}`);
    const beganMs = Date.parse(vm.stateSince);
    const url = `/v1/usage?from=${hourBefore(beganMs)}&groupBy=hour,cluster`;
    const states = ['stopped', 'running', 'rebooting', 'failed', 'unreachable'] as const;
    let untilMs = beganMs;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ state: fc.constantFrom(...states), forS: fc.nat(4 * HOUR_S) }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.array(fc.nat(4), { maxLength: 8 }),
        async (steps, order) => {
          const reports = steps.map(({ state, forS }) => {
            untilMs += forS * 1000;
            return vms.map((each) =>
              cluster.report(each, { ...standingOf(state), stateSinceMs: untilMs }),
            );
          });
          clock.shift(Math.max(0, untilMs - clock.nowMs()) + 1_000);
          const last = reports.length - 1;
          for (const index of [...order, last, ...order]) {
            const report = reports[Math.min(index, last)];
            if (report !== undefined) await cluster.exchange({ vms: report });
            if (index % 2 === 0) await factory.store.usage.rollUp(Math.floor(clock.nowMs() / 1000));
          }
          const { intervals, nowS } = await intervalsOf(test());
          const expected = sumIntervals(intervals, {
            ...{ fromS: 0, toS: OPEN, nowS, groups: ['hour', 'cluster'] },
          }).filter((row) => row.diskGiBSeconds > 0);
          const shown = (await rows(url)).filter((row) => row.diskGiBHours > 0);
          expect(shown.map((row) => Math.round(row.coreHours * HOUR_S))).toEqual(
            expected.map((row) => row.vcpuSeconds),
          );
        },
      ),
      { numRuns: 8 },
    );
  });
});

const standingOf = (state: VmState) =>
  standing(state, state === 'failed' ? 'NO_CAPACITY' : null, null);

async function intervalsOf({ factory, clock }: StoreTest) {
  const nowS = Math.floor(clock.nowMs() / 1000);
  const { projectId } = factory.caller;
  const query = { projectId, fromS: 0, toS: OPEN, limit: 10_000 };
  return { nowS, intervals: await factory.store.usage.records(query) };
}

describe('sums of intervals', () => {
  const interval: UsageInterval = {
    ...{ id: 1, projectId: 'prj_1' as never, clusterId: 'clu_1' as never },
    ...{ batchId: 'bat_1' as never, vmId: 'vm_1' as never },
    ...{ fromS: 1_800, toS: 9_000, vcpus: 4, memoryMiB: 1_024, diskGiB: 10 },
  };

  it('give to each hour the seconds that are in it', () => {
    const query = { fromS: 0, toS: OPEN, nowS: 100_000, groups: ['hour'] } as const;
    const rows = sumIntervals([interval], query);
    expect(rows.map((row) => [row.fromS, row.vcpuSeconds])).toEqual([
      [0, 7_200],
      [3_600, 14_400],
      [7_200, 7_200],
    ]);
  });

  it('are the same for a whole and for its parts', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(20_000), fc.nat(20_000), (a, b, c) => {
        const [fromS = 0, midS = 0, toS = 0] = [a, b, c].sort((x, y) => x - y);
        const query = { fromS: 0, toS: OPEN, nowS: 15_000, groups: ['hour'] } as const;
        const whole = sumIntervals([{ ...interval, fromS, toS }], query);
        const first = { ...interval, fromS, toS: midS };
        const parts = sumIntervals([first, { ...interval, fromS: midS, toS }], query);
        expect(parts).toEqual(whole);
      }),
    );
  });
});

describe('a line of CSV', () => {
  it('quotes what would be read otherwise', () => {
    expect(csvLine(['a,b', 'say "x"', 3, null])).toBe('"a,b","say ""x""",3,\r\n');
    expect(csvLine(['=1+1'])).toBe("'=1+1\r\n");
  });
});

import fc from 'fast-check';
import type { Offer } from 'mesos-core/protocol';
import { describe, expect, it } from 'vitest';
import { acceptCall, EXECUTOR_NEED, groupByAgent, toAgentOffer } from './offers.ts';
import { place } from './placement.ts';
import { needOf } from './placement-amounts.ts';
import { amountsOf, ResourcePool } from './resource-pool.ts';
import { launchedRecord, sampleAssignment, sampleOffer, scalar } from './testing/samples.ts';
import { applyLaunch, newVmRecord } from './vm-record.ts';

const template = { frameworkId: 'framework-1', role: 'compute-factory', command: 'exec vm' };
const reservation = { type: 'DYNAMIC', role: 'compute-factory' } as const;

/** An offer whose resources come in pieces, some of them reserved. */
const pieces = fc.array(
  fc.record({
    name: fc.constantFrom('cpus', 'mem', 'disk'),
    milli: fc.integer({ min: 1, max: 4_000_000 }),
    isReserved: fc.boolean(),
  }),
  { maxLength: 12 },
);

function offerOf(parts: readonly { name: string; milli: number; isReserved: boolean }[]): Offer {
  const resources = parts.map(({ name, milli, isReserved }) =>
    scalar(name, milli / 1000, isReserved ? { reservations: [reservation] } : {}),
  );
  return { ...sampleOffer('o', 'agent-1'), resources };
}

describe('a pool of resources', () => {
  it('hands out exactly what is asked for, never more than there is, reserved ones first', () => {
    fc.assert(
      fc.property(
        pieces,
        fc.array(fc.integer({ min: 1, max: 900_000 }), { maxLength: 6 }),
        (parts, asks) => {
          const offer = offerOf(parts);
          const total = Math.round(amountsOf([offer]).cpus * 1000);
          const pool = new ResourcePool([offer]);
          let left = total;
          for (const milli of asks) {
            const taken = pool.take({ cpus: milli / 1000, memoryMiB: 0, diskMiB: 0 });
            const sum = taken.reduce((all, each) => all + (each.scalar?.value ?? 0), 0);
            expect(Math.round(sum * 1000)).toBe(Math.min(milli, left));
            left -= Math.min(milli, left);
            const kinds = taken.map((each) => (each.reservations?.length ?? 0) > 0);
            expect(kinds).toEqual(kinds.toSorted((a, b) => Number(b) - Number(a)));
            for (const each of taken) expect(each.allocation_info?.role).toBe('compute-factory');
          }
        },
      ),
    );
  });

  it('leaves alone what VMs must not use', () => {
    const offer = {
      ...sampleOffer('o', 'agent-1'),
      resources: [
        scalar('cpus', 4, { revocable: {} }),
        scalar('disk', 100, { disk: { source: { type: 'MOUNT' } } }),
        { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: '1', end: '9' }] } } as const,
      ],
    } as Offer;
    expect(amountsOf([offer])).toEqual({ cpus: 0, memoryMiB: 0, diskMiB: 0 });
  });
});

describe('an ACCEPT', () => {
  it('launches every VM with its data, and all tasks together take what they need', () => {
    const records = [1, 2, 3].map((n) =>
      applyLaunch(
        newVmRecord(sampleAssignment(n, { generation: n }), 0),
        { agentId: 'agent-1', hostName: 'host-1' },
        10,
      ),
    );
    const offers = [
      sampleOffer('o1', 'agent-1', { cpus: 2 }),
      sampleOffer('o2', 'agent-1', { cpus: 2 }),
    ];
    const call = acceptCall(records, offers, template, 5);
    if (call.type !== 'ACCEPT') throw new Error('not an ACCEPT');
    expect(call.accept.offer_ids).toEqual([{ value: 'o1' }, { value: 'o2' }]);
    expect(call.accept.filters).toEqual({ refuse_seconds: 5 });
    const [operation] = call.accept.operations ?? [];
    const tasks = operation?.type === 'LAUNCH' ? (operation.launch.task_infos ?? []) : [];
    expect(tasks.map((task) => task.task_id.value)).toEqual(
      records.map((record) => `${record.assignment.vmId}.1`),
    );
    const sum = amountsOf(
      tasks.map((task) => ({ ...sampleOffer('x', 'y'), resources: task.resources })),
    );
    expect(sum).toEqual({ cpus: 3, memoryMiB: 3 * (128 + 48), diskMiB: 3 * 1_024 });
    const data = JSON.parse(Buffer.from(tasks[1]?.data ?? '', 'base64').toString('utf8'));
    expect(data).toMatchObject({ version: 1, generation: 2, desired: 'running' });
    expect(data.spec).toEqual(records[1]?.assignment.spec);
    // One id must mean one executor, whoever's launch starts it.
    expect(new Set(tasks.map((task) => JSON.stringify(task.executor))).size).toBe(1);
    expect(tasks[0]?.executor?.command).toEqual({ shell: true, value: 'exec vm' });
  });

  it('never takes more than was offered when placement has chosen, in any mix of sizes', () => {
    const sizes = fc.array(
      fc.record({
        vcpus: fc.integer({ min: 1, max: 6 }),
        memoryMiB: fc.integer({ min: 64, max: 3_000 }),
      }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
        (all, cpus) => {
          const offers = cpus.map((tenths, index) =>
            sampleOffer(`o${index}`, 'agent-1', { cpus: tenths / 10, mem: 2_048 }),
          );
          const requests = all.map((size, index) => ({
            vmId: `${index}`,
            need: needOf(sampleAssignment(index, { size })),
            boundAgentId: null,
          }));
          const { agentOf } = place(requests, [toAgentOffer('agent-1', offers, 0)], EXECUTOR_NEED);
          const placed = requests.filter(({ vmId }) => agentOf.has(vmId));
          if (placed.length === 0) return;
          const pool = new ResourcePool(offers);
          const taken = placed.map(({ need }) => pool.take(need));
          taken.forEach((resources, index) => {
            const got = amountsOf([{ ...sampleOffer('x', 'y'), resources }]);
            expect(got.cpus).toBeCloseTo(placed[index]?.need.cpus ?? Number.NaN, 6);
            expect(got.memoryMiB).toBe(placed[index]?.need.memoryMiB);
          });
          const offered = amountsOf(offers);
          const used = placed.reduce((sum, { need }) => sum + need.cpus, EXECUTOR_NEED.cpus);
          expect(used).toBeLessThanOrEqual(offered.cpus + 1e-6);
        },
      ),
    );
  });

  it('knows where the executor runs already', () => {
    const offers = [
      sampleOffer('o1', 'agent-1'),
      sampleOffer('o2', 'agent-1', {}, true),
      sampleOffer('o3', 'agent-2'),
    ];
    const grouped = groupByAgent(offers);
    const seen = [...grouped].map(([agentId, ofAgent]) => toAgentOffer(agentId, ofAgent, 0));
    expect(seen).toMatchObject([
      { agentId: 'agent-1', hasExecutor: true, free: { cpus: 16 } },
      { agentId: 'agent-2', hasExecutor: false, hostName: 'host-2' },
    ]);
    expect(launchedRecord().hostName).toBe('host-1');
  });
});

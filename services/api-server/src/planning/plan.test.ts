import type { BatchId, ClusterId, ProjectId, SubnetId } from '@factory/contracts';
import { createIdGenerator, systemClock, systemRandom } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchSize } from '../batches/store.ts';
import { capacityOf } from '../testing/cluster.ts';
import { decidePlan, SHARE_DEADLINE_MS } from './plan.ts';
import type { PlanningOutcome, PlanningSnapshot } from './store.ts';

const newId = createIdGenerator(systemClock, systemRandom);
const nowMs = systemClock.nowMs();
const clusterId = 'clu_a' as ClusterId;

function snapshot(size: BatchSize, more: Partial<PlanningSnapshot> = {}): PlanningSnapshot {
  return {
    nowMs,
    batch: {
      id: 'bat_1' as BatchId,
      projectId: 'prj_1' as ProjectId,
      name: 'b',
      state: 'accepted',
      image: 'micro',
      size,
      diskGiB: 8,
      sshPublicKeys: [],
      userData: '',
      labels: {},
      wishes: {},
      pendingReason: null,
      needsPlanning: true,
      createdAtMs: nowMs,
      plannedAtMs: 0,
    },
    subnet: {
      id: 'sub_1' as SubnetId,
      projectId: 'prj_1' as ProjectId,
      name: 'default',
      cidr: '10.80.0.0/24',
      macSeed: 7,
      nextOffset: 2,
    },
    planned: { count: 0, vcpus: 0 },
    unassigned: [],
    shares: [],
    clusters: [
      {
        id: clusterId,
        name: 'a',
        lastSeenAtMs: nowMs,
        capacity: capacityOf(systemClock, 2, { vcpus: 4, memoryMiB: 8192 }),
        unseenVcpus: 0,
        unseenMemoryMiB: 0,
        lastCommandSeq: 10,
      },
    ],
    usedOffsets: [],
    ...more,
  };
}

const machines = (count: number): BatchSize => ({
  kind: 'count',
  count,
  shape: { vcpus: 1, memoryMiB: 128 },
});

/** What planning would see after its outcome was written. */
function after(before: PlanningSnapshot, outcome: PlanningOutcome): PlanningSnapshot {
  const all = outcome.newVms;
  return {
    ...before,
    batch: { ...before.batch, ...outcome.batch },
    subnet: { ...before.subnet, nextOffset: outcome.nextOffset },
    planned: {
      count: before.planned.count + all.length,
      vcpus: before.planned.vcpus + all.reduce((sum, vm) => sum + vm.vcpus, 0),
    },
    unassigned: all.filter((vm) => vm.clusterId === null),
    shares: outcome.shares,
    usedOffsets: [...before.usedOffsets, ...all.map((vm) => vm.addressOffset)],
    clusters: before.clusters.map((cluster) => ({
      ...cluster,
      lastCommandSeq: cluster.lastCommandSeq + outcome.commands.length,
      unseenVcpus: cluster.unseenVcpus + all.filter((vm) => vm.clusterId !== null).length,
    })),
  };
}

describe('planning a number of machines', () => {
  it('makes all, gives those that fit, and lets the others wait', () => {
    const outcome = decidePlan(snapshot(machines(10)), newId);
    expect(outcome.newVms.map((vm) => vm.name)).toEqual(
      Array.from({ length: 10 }, (_, index) => `b-${index + 1}`),
    );
    expect(outcome.newVms.filter((vm) => vm.clusterId === null)).toHaveLength(2);
    expect(outcome.commands.map(({ seq }) => seq)).toEqual([11]);
    expect(outcome.batch).toMatchObject({ state: 'planning', needsPlanning: true });
    expect(outcome.batch.pendingReason).toContain('2 of 10 machines');
  });

  it('gives machines the newest version of the image that their cluster has', () => {
    const version = 'a'.repeat(64);
    const before = snapshot(machines(1));
    const clusters = before.clusters.map((cluster) => ({
      ...cluster,
      capacity: cluster.capacity && { ...cluster.capacity, imageVersions: { micro: version } },
    }));
    const { newVms, commands } = decidePlan({ ...before, clusters }, newId);
    expect(newVms).toMatchObject([{ imageVersion: version }]);
    expect(commands).toMatchObject([
      { command: { vms: [{ spec: { image: { name: 'micro', version } } }] } },
    ]);
  });

  it('changes nothing when it is done again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 250 }), (count) => {
        const first = snapshot(machines(count));
        const second = after(first, decidePlan(first, newId));
        const outcome = decidePlan(second, newId);
        expect(outcome).toMatchObject({ newVms: [], assignedVms: [], commands: [] });
      }),
      { numRuns: 30 },
    );
  });

  it('waits, with the reason, when the subnet is full', () => {
    const outcome = decidePlan(snapshot(machines(254)), newId);
    expect(outcome).toMatchObject({ newVms: [], batch: { needsPlanning: true } });
    expect(outcome.batch.pendingReason).toContain('not enough free addresses');
  });

  it('lists ids in the order of the numbers', () => {
    const { newVms } = decidePlan(snapshot(machines(200)), newId);
    const ids = newVms.map((vm) => vm.id);
    expect(ids.toSorted()).toEqual(ids);
  });
});

describe('planning a number of cores', () => {
  const cores: BatchSize = {
    kind: 'cores',
    totalVcpus: 6,
    shapes: [{ vcpus: 2, memoryMiB: 256 }],
  };
  const asked = { clusterId, state: 'open', totalVcpus: 6, changedAtMs: nowMs } as const;
  const answer = (count: number) => ({
    batchId: 'bat_1' as BatchId,
    machines: count === 0 ? [] : [{ shape: { vcpus: 2, memoryMiB: 256 }, count }],
    unplacedVcpus: 6 - 2 * count,
    reason: count === 3 ? '' : 'hosts are full',
  });

  it('asks the cluster first', () => {
    const outcome = decidePlan(snapshot(cores), newId);
    expect(outcome.newVms).toEqual([]);
    expect(outcome.commands[0]).toMatchObject({ seq: 11, command: { kind: 'planShare' } });
    expect(outcome.shares).toEqual([{ ...asked, plan: null }]);
    const again = decidePlan(snapshot(cores, { shares: outcome.shares }), newId);
    expect(again).toMatchObject({ commands: [], batch: { needsPlanning: true } });
  });

  it('makes machines of the answer', () => {
    const shares = [{ ...asked, state: 'answered', plan: answer(3) } as const];
    const outcome = decidePlan(snapshot(cores, { shares }), newId);
    expect(outcome.newVms).toHaveLength(3);
    expect(outcome.batch).toEqual({ state: 'active', pendingReason: null, needsPlanning: false });
  });

  it('does not ask again what was declined, until the cluster has changed', () => {
    const shares = [{ ...asked, state: 'answered', plan: answer(1) } as const];
    const first = snapshot(cores, { shares });
    const outcome = decidePlan(first, newId);
    expect(outcome.newVms).toHaveLength(1);
    expect(outcome.commands.map(({ command }) => command.kind)).toEqual(['assignVms']);
    expect(outcome.batch.pendingReason).toBe('a: hosts are full');
    const same = after(first, outcome);
    expect(decidePlan(same, newId).commands).toEqual([]);
    const changed = same.clusters.map((cluster) => ({
      ...cluster,
      capacity: cluster.capacity && {
        ...cluster.capacity,
        observedAtMs: cluster.capacity.observedAtMs + 1,
      },
    }));
    const next = decidePlan({ ...same, clusters: changed }, newId);
    expect(next.commands[0]?.command).toMatchObject({ kind: 'planShare', totalVcpus: 4 });
  });

  it('refuses an answer to another question', () => {
    const plan = { ...answer(3), unplacedVcpus: 2 };
    const shares = [{ ...asked, state: 'answered', plan } as const];
    expect(decidePlan(snapshot(cores, { shares }), newId).newVms).toEqual([]);
  });

  it('withdraws a share that got no answer', () => {
    const shares = [{ ...asked, changedAtMs: nowMs - SHARE_DEADLINE_MS - 1, plan: null }];
    const outcome = decidePlan(snapshot(cores, { shares }), newId);
    expect(outcome.shares[0]?.state).toBe('declined');
    expect(outcome.batch.pendingReason).toBe('a did not answer in time.');
  });
});

import type { BatchId, ClusterId, ProjectId, SubnetId } from '@factory/contracts';
import { createIdGenerator, systemClock, systemRandom } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchSize } from '../batches/store.ts';
import type { SubnetRecord } from '../subnets/store.ts';
import { capacityOf } from '../testing/cluster.ts';
import { decidePlan, SHARE_DEADLINE_MS } from './plan.ts';
import type { PlanningCard, PlanningOutcome, PlanningSnapshot } from './store.ts';

const newId = createIdGenerator(systemClock, systemRandom);
const nowMs = systemClock.nowMs();
const clusterId = 'clu_a' as ClusterId;

const subnet: SubnetRecord = {
  id: 'sub_1' as SubnetId,
  projectId: 'prj_1' as ProjectId,
  name: 'default',
  cidr: '10.80.0.0/24',
  vni: 7,
  egress: 'none',
  dnsDomain: 'default.internal',
  securityRules: [],
  nextOffset: 2,
  createdAtMs: 0,
  deletedAtMs: null,
};

function cardIn(record: SubnetRecord, asked?: PlanningCard['asked']): PlanningCard {
  const { cidr, nextOffset } = record;
  const pool = { cidr, vni: record.vni ?? 0, nextOffset, ahead: [], released: [] };
  return { subnet: record, pool, asked };
}

function snapshot(size: BatchSize, more: Partial<PlanningSnapshot> = {}): PlanningSnapshot {
  return {
    nowMs,
    batch: {
      id: 'bat_1' as BatchId,
      projectId: 'prj_1' as ProjectId,
      name: 'b',
      state: 'accepted',
      image: 'micro',
      imageVersion: null,
      size,
      diskGiB: 8,
      sshPublicKeys: [],
      userData: '',
      labels: {},
      wishes: {},
      nics: [],
      securityRules: [],
      ...{
        volumes: [],
        volumeClusterId: null,
        priority: 0,
        preemptible: false,
        preempted: 0,
        clusters: {},
      },
      pendingReason: null,
      needsPlanning: true,
      createdAtMs: nowMs,
      plannedAtMs: 0,
    },
    cards: [cardIn(subnet)],
    planned: { count: 0, vcpus: 0 },
    unassigned: [],
    shares: [],
    clusters: [
      {
        id: clusterId,
        name: 'a',
        lastSeenAtMs: nowMs,
        silentSinceMs: null,
        capacity: capacityOf(systemClock, 2, { vcpus: 4, memoryMiB: 8192 }),
        unseenVcpus: 0,
        unseenMemoryMiB: 0,
        lastCommandSeq: 10,
      },
    ],
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
    cards: before.cards.map((card) => {
      const nextOffset = outcome.nextOffsets.get(card.subnet.id) ?? card.subnet.nextOffset;
      return cardIn({ ...card.subnet, nextOffset });
    }),
    planned: {
      count: before.planned.count + all.length,
      vcpus: before.planned.vcpus + all.reduce((sum, vm) => sum + vm.vcpus, 0),
    },
    unassigned: all.filter((vm) => vm.clusterId === null),
    shares: outcome.shares,
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
        expect(outcome).toMatchObject({ newVms: [], changedVms: [], commands: [] });
      }),
      { numRuns: 30 },
    );
  });

  it('makes machines that wait for an address, with the reason, when the subnet is full', () => {
    const outcome = decidePlan(snapshot(machines(260)), newId);
    const waiting = outcome.newVms.filter((vm) => vm.ipAddress === null);
    expect(waiting.map((vm) => vm.name)).toEqual(
      Array.from({ length: 7 }, (_, index) => `b-${index + 254}`),
    );
    const full = 'subnet default has no free address (253 in use)';
    expect(waiting[0]).toMatchObject({ reason: 'SUBNET_UNAVAILABLE', message: full });
    expect(outcome.batch).toMatchObject({ needsPlanning: true });
    expect(outcome.batch.pendingReason).toContain(`7 machines without address: ${full}.`);
    expect(outcome.takenAddresses).toHaveLength(253);
  });

  it('gives a machine addresses in all its subnets, or in none', () => {
    const small = { ...subnet, id: 'sub_2' as SubnetId, name: 'small', cidr: '10.80.0.0/29' };
    const cards = [cardIn(subnet), cardIn({ ...small, vni: 8 })];
    const { newVms, takenAddresses } = decidePlan(snapshot(machines(8), { cards }), newId);
    expect(newVms.map((vm) => vm.nics.length)).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
    expect(takenAddresses).toHaveLength(10);
    expect(newVms[7]?.message).toBe('subnet small has no free address (5 in use)');
  });

  it('waits for an address that was asked for and that another machine has', () => {
    const cards = [cardIn(subnet, { offset: 7, isFree: false })];
    const { newVms } = decidePlan(snapshot(machines(1), { cards }), newId);
    expect(newVms[0]?.message).toBe('10.80.0.7 in subnet default is in use');
    const free = [cardIn(subnet, { offset: 7, isFree: true })];
    const made = decidePlan(snapshot(machines(1), { cards: free }), newId);
    expect(made.newVms).toMatchObject([{ ipAddress: '10.80.0.7', state: 'scheduled' }]);
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

import type { BatchId, ClusterId, ProjectId } from '@factory/contracts';
import { createIdGenerator, systemClock, systemRandom } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aSnapshot, machines } from '../testing/snapshots.ts';
import type { WaitingBatch } from './fair-share.ts';
import { decidePlan } from './plan.ts';
import { RESERVE_AFTER_MS, reservationFor, withReservations } from './reserve.ts';
import { ReservationBook, turnsOf, unplacedAfter } from './rounds.ts';

const newId = createIdGenerator(systemClock, systemRandom);

function waiting(index: number, more: Partial<WaitingBatch> = {}): WaitingBatch {
  return {
    id: `bat_${String(index).padStart(4, '0')}` as BatchId,
    projectId: 'prj_1' as ProjectId,
    ...{
      priority: 0,
      preemptible: false,
      createdAtMs: index,
      plannedAtMs: 0,
      weight: 1,
      usedVcpus: 0,
      heldVcpus: 0,
    },
    ...more,
  };
}

describe('a round of planning', () => {
  it('gives a newcomer its turn behind those before it, and ends there', () => {
    const all = [waiting(1), waiting(2, { plannedAtMs: 90 }), waiting(3), waiting(4)];
    expect(turnsOf(all, 50, all[2]?.id)).toEqual([
      { id: 'bat_0001', isDue: true },
      { id: 'bat_0002', isDue: false },
      { id: 'bat_0003', isDue: true },
    ]);
  });

  it('gives everybody a turn in the end, however many wait', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 350 }), fc.integer({ min: -1, max: 1 }), (count, p) => {
        let all = Array.from({ length: count }, (_, index) =>
          waiting(index, { priority: index % 2 === 0 ? p : 0 }),
        );
        for (let round = 1; round <= Math.ceil(count / 100); round += 1) {
          const due = new Set(turnsOf(all, round).flatMap((turn) => (turn.isDue ? turn.id : [])));
          expect(due.size).toBeLessThanOrEqual(100);
          all = all.map((each) => (due.has(each.id) ? { ...each, plannedAtMs: round } : each));
        }
        expect(all.every((each) => each.plannedAtMs > 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a wide request that waits', () => {
  const old = { createdAtMs: aSnapshot(machines(1)).nowMs - RESERVE_AFTER_MS };
  const wide = aSnapshot(machines(1, 4), {}, old);
  const noRoom = {
    clusters: wide.clusters.map((cluster) => ({ ...cluster, unseenVcpus: 5 })),
  };

  it('has room kept for it, so that small ones behind it do not take what comes free', () => {
    const blocked = { ...wide, ...noRoom };
    const outcome = decidePlan(blocked, newId);
    expect(outcome.batch.needsPlanning).toBe(true);
    const book = new ReservationBook();
    book.planned(blocked, unplacedAfter(blocked, outcome));
    const kept = book.of([blocked.batch.id]);
    expect(kept).toMatchObject([{ vcpus: 4, clusterId: 'clu_a' }]);
    const small = aSnapshot(machines(3), noRoom, { id: 'bat_2' as BatchId });
    expect(decidePlan(small, newId).batch.needsPlanning).toBe(false);
    const behind = decidePlan(withReservations(small, kept), newId);
    expect(behind.newVms.every((vm) => vm.clusterId === null)).toBe(true);
    expect(behind.batch.pendingReason).toContain('4 vCPUs kept for who waits longer');
    book.retain([]);
    expect(book.of([blocked.batch.id])).toEqual([]);
  });

  it('has nothing kept before it has waited, nor for what could never be', () => {
    const vm = { vcpus: 4, memoryMiB: 128 };
    expect(reservationFor(aSnapshot(machines(1, 4)), [vm])).toBeUndefined();
    expect(reservationFor(wide, [{ ...vm, vcpus: 64 }])).toBeUndefined();
    expect(reservationFor(wide, [])).toBeUndefined();
    const elsewhere = { ...old, clusters: { names: ['b'] } };
    expect(reservationFor(aSnapshot(machines(1, 4), {}, elsewhere), [vm])).toBeUndefined();
  });

  it('never gets in its own way', () => {
    const kept = [
      { batchId: wide.batch.id, clusterId: 'clu_a' as ClusterId, vcpus: 9, memoryMiB: 9 },
    ];
    expect(withReservations(wide, kept)).toBe(wide);
  });
});

describe('where a batch may be', () => {
  const reasonOf = (
    more: Parameters<typeof aSnapshot>[1],
    batch: Parameters<typeof aSnapshot>[2],
  ) => decidePlan(aSnapshot(machines(2), more, batch), newId).batch.pendingReason;
  const [cluster] = aSnapshot(machines(1)).clusters;
  if (cluster === undefined) throw new Error('there is one');

  it('is said by its selector', () => {
    const inEurope = { clusters: [{ ...cluster, region: 'eu', attributes: { tier: 'gold' } }] };
    expect(reasonOf(inEurope, { clusters: { regions: ['eu'], names: ['a'] } })).toBeNull();
    expect(reasonOf(inEurope, { clusters: { regions: ['asia'] } })).toContain('in eu, not in asia');
    expect(reasonOf(inEurope, { clusters: { names: ['b'] } })).toContain('a is not one of');
    const gold = { attributes: [{ name: 'tier', op: 'eq' as const, value: 'gold' }] };
    expect(reasonOf(inEurope, { clusters: gold })).toBeNull();
    const iron = { attributes: [{ name: 'tier', op: 'eq' as const, value: 'iron' }] };
    expect(reasonOf(inEurope, { clusters: iron })).toContain('is not as required');
    expect(reasonOf({ clusters: [{ ...cluster, state: 'draining' }] }, {})).toContain('draining');
  });

  it('is said by policy, and the preferred goes before the roomier', () => {
    const organisationId = 'org_1' as never;
    const rule = (
      clusterId: ClusterId,
      kind: 'allowed' | 'preferred' | 'dedicated',
      org = 'org_1',
    ) => ({ clusterId, kind, organisationId: org as never, projectId: null });
    const roomier = { ...cluster, id: 'clu_b' as ClusterId, name: 'b', unseenVcpus: -10 };
    const both = { clusters: [cluster, roomier] };
    const placedIn = (policies: ReturnType<typeof rule>[]) =>
      decidePlan(
        aSnapshot(machines(2), { ...both, policy: { organisationId, policies } }),
        newId,
      ).newVms.map((vm) => vm.clusterId);
    expect(placedIn([rule('clu_a' as ClusterId, 'preferred')])).toEqual(['clu_a', 'clu_a']);
    expect(placedIn([rule('clu_a' as ClusterId, 'allowed')])).toEqual(['clu_a', 'clu_a']);
    const taken = [
      rule('clu_a' as ClusterId, 'dedicated', 'org_2'),
      rule('clu_b' as ClusterId, 'dedicated', 'org_2'),
    ];
    const policy = { organisationId, policies: taken };
    expect(reasonOf({ ...both, policy }, {})).toContain(
      'each of 2 clusters is dedicated to others',
    );
  });
});

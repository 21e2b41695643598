import type { ClusterId, VmId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aSnapshot, machines } from '../testing/snapshots.ts';
import { choosePreempted, mayPreempt, PREEMPT_AFTER_MS, type Preemptible } from './preempt.ts';

const nowMs = aSnapshot(machines(1)).nowMs;
const old = { createdAtMs: nowMs - PREEMPT_AFTER_MS };
const shape = { vcpus: 2, memoryMiB: 128 };

function other(index: number, more: Partial<Preemptible> = {}): Preemptible {
  return {
    id: `vm_${index}` as VmId,
    clusterId: 'clu_a' as ClusterId,
    hostName: `host-${index % 2}`,
    ...{ vcpus: 1, memoryMiB: 128, priority: 0, createdAtMs: index, isLeaving: false },
    ...more,
  };
}

/** Two hosts of four cores, with so many of them free. */
function withFree(freeVcpus: number, batch: Parameters<typeof aSnapshot>[2] = {}) {
  const snapshot = aSnapshot(machines(1), {}, { ...old, ...batch });
  const clusters = snapshot.clusters.map((cluster) => ({
    ...cluster,
    capacity: cluster.capacity && {
      ...cluster.capacity,
      hosts: cluster.capacity.hosts.map((host) => ({ ...host, freeVcpus })),
    },
  }));
  return { ...snapshot, clusters };
}

describe('deleting machines for others', () => {
  it('takes as few as will do from one host, the lowest priority and the youngest first', () => {
    const others = [other(0), other(2), other(4, { priority: -1 }), other(1)];
    expect(choosePreempted(withFree(0), [shape], others)).toEqual(['vm_4', 'vm_2']);
    expect(choosePreempted(withFree(1), [shape], others)).toEqual(['vm_4']);
    expect(choosePreempted(withFree(2), [shape], others)).toEqual([]);
  });

  it('deletes nobody for a machine that would not fit then', () => {
    expect(choosePreempted(withFree(0), [{ ...shape, vcpus: 3 }], [other(0), other(1)])).toEqual(
      [],
    );
  });

  it('waits for those that are leaving anyway', () => {
    const leaving = [
      other(0, { isLeaving: true }),
      other(2, { isLeaving: true }),
      other(1),
      other(3),
    ];
    expect(choosePreempted(withFree(0), [shape], leaving)).toEqual([]);
    expect(choosePreempted(withFree(0), [shape, shape], leaving)).toHaveLength(2);
  });

  it('is only for those who have waited, and may', () => {
    const others = [other(0), other(2)];
    expect(choosePreempted(withFree(0, { createdAtMs: nowMs }), [shape], others)).toEqual([]);
    expect(choosePreempted(withFree(0, { preemptible: true }), [shape], others)).toEqual([]);
    const higher = { preemptible: true, priority: 1 };
    expect(choosePreempted(withFree(0, higher), [shape], others)).toHaveLength(2);
    expect(choosePreempted(withFree(0, { priority: -1 }), [shape], others)).toEqual([]);
    expect(choosePreempted(withFree(0, { clusters: { names: ['b'] } }), [shape], others)).toEqual(
      [],
    );
  });

  it('never lets two preempt one another', () => {
    const batch = fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      preemptible: fc.boolean(),
    });
    fc.assert(
      fc.property(batch, batch, (a, b) => {
        // Only who is preemptible is ever deleted.
        const isMutual = a.preemptible && b.preemptible && mayPreempt(a, b) && mayPreempt(b, a);
        expect(isMutual).toBe(false);
      }),
    );
  });

  it('never deletes one twice, one of higher priority, or more than there is need for', () => {
    const one = fc.record({ priority: fc.integer({ min: -1, max: 1 }), isLeaving: fc.boolean() });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.integer({ min: 1, max: 4 }), (all, count) => {
        const others = all.map((each, index) => other(index, each));
        const wanted = new Array(count).fill(shape);
        const chosen = choosePreempted(withFree(0), wanted, others);
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen.length).toBeLessThanOrEqual(count * shape.vcpus);
        for (const id of chosen) {
          const victim = others.find((each) => each.id === id);
          expect(victim?.isLeaving).toBe(false);
          expect(victim?.priority).toBeLessThanOrEqual(0);
        }
      }),
    );
  });
});

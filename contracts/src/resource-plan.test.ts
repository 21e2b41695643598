import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HostCapacity, VM_MEMORY_OVERHEAD_MIB } from './capacity.ts';
import { planShare } from './resource-plan.ts';

const NOTHING = { vcpus: 0, memoryMiB: 0 };

function host(
  n: number,
  freeVcpus: number,
  freeMemoryMiB = 1_000_000,
  active = true,
): HostCapacity {
  return {
    agentId: `agent-${n}`,
    hostName: `host-${n}`,
    active,
    totalVcpus: freeVcpus,
    totalMemoryMiB: freeMemoryMiB,
    freeVcpus,
    freeMemoryMiB,
  };
}

const shape = (vcpus: number, memoryMiB = 128) => ({ vcpus, memoryMiB });

const shapes = fc.uniqueArray(
  fc.record({
    vcpus: fc.integer({ min: 1, max: 48 }),
    memoryMiB: fc.integer({ min: 64, max: 2_048 }),
  }),
  { minLength: 1, maxLength: 4, selector: ({ vcpus, memoryMiB }) => `${vcpus}x${memoryMiB}` },
);
const hosts = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 8_192 })), {
    maxLength: 6,
  })
  .map((all) => all.map(([vcpus, memory], n) => host(n, vcpus, memory)));
const promises = fc.record({
  vcpus: fc.integer({ min: 0, max: 40 }),
  memoryMiB: fc.integer({ min: 0, max: 4_096 }),
});

describe('a resource plan', () => {
  it('uses no more of the hardware that only few hosts have than there is', () => {
    const free = (gpus: number) => ({ gpus: { total: 4, free: gpus } });
    const all = [
      { ...host(1, 48), resources: free(3) },
      { ...host(2, 48), resources: {} },
    ];
    const request = { totalVcpus: 24, shapes: [shape(8)], hardware: { gpus: 1 } };
    expect(planShare(request, all, NOTHING).machines).toEqual([{ shape: shape(8), count: 3 }]);
    const more = planShare({ ...request, totalVcpus: 32 }, all, NOTHING);
    expect(more.unplacedVcpus).toBe(8);
    expect(more.reason).toContain('and 2 lack graphics cards.');
    const other = { ...request, hardware: { gpus: 1, gpuModel: 'A100' } };
    const untold = all.map((each) => ({ ...each, attributes: [] }));
    expect(planShare(other, untold, NOTHING).machines).toEqual([]);
  });

  it('turns 200 cores into 4 × 48 and 1 × 8', () => {
    const request = { totalVcpus: 200, shapes: [shape(8), shape(48)] };
    const all = [1, 2, 3, 4, 5].map((n) => host(n, 48));
    expect(planShare(request, all, NOTHING)).toEqual({
      machines: [
        { shape: shape(48), count: 4 },
        { shape: shape(8), count: 1 },
      ],
      unplacedVcpus: 0,
      reason: '',
    });
  });

  it('looks ahead where the biggest shape would leave a rest', () => {
    const request = { totalVcpus: 60, shapes: [shape(48), shape(20)] };
    expect(planShare(request, [host(1, 64)], NOTHING)).toMatchObject({
      machines: [{ shape: shape(20), count: 3 }],
      unplacedVcpus: 0,
    });
  });

  it('adds up to exactly what was asked, the rest named as unplaced', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        shapes,
        hosts,
        promises,
        (total, sizes, all, promised) => {
          const plan = planShare({ totalVcpus: total, shapes: sizes }, all, promised);
          const made = plan.machines.reduce(
            (sum, { shape: { vcpus }, count }) => sum + vcpus * count,
            0,
          );
          expect(made + plan.unplacedVcpus).toBe(total);
          expect(plan.machines.every(({ count }) => count >= 1)).toBe(true);
          expect(plan.reason === '').toBe(plan.unplacedVcpus === 0);
        },
      ),
    );
  });

  it('takes from all hosts together no more than they have beyond what is promised', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        shapes,
        hosts,
        promises,
        (total, sizes, all, promised) => {
          const { machines } = planShare({ totalVcpus: total, shapes: sizes }, all, promised);
          const vcpus = machines.reduce((sum, { shape: s, count }) => sum + s.vcpus * count, 0);
          const memory = machines.reduce(
            (sum, { shape: s, count }) => sum + (s.memoryMiB + VM_MEMORY_OVERHEAD_MIB) * count,
            0,
          );
          const has = (pick: (each: HostCapacity) => number) =>
            all.reduce((sum, each) => sum + pick(each), 0);
          const left = (free: number, gone: number) => Math.max(0, free - gone);
          expect(vcpus).toBeLessThanOrEqual(
            left(
              has((each) => each.freeVcpus),
              promised.vcpus,
            ),
          );
          expect(memory).toBeLessThanOrEqual(
            left(
              has((each) => each.freeMemoryMiB),
              promised.memoryMiB,
            ),
          );
        },
      ),
    );
  });

  it('fits host by host: equal machines never exceed what the hosts hold of them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 16 }),
        hosts,
        (total, vcpus, all) => {
          const only = shape(vcpus, 512);
          const [made] = planShare({ totalVcpus: total, shapes: [only] }, all, NOTHING).machines;
          const room = all.reduce(
            (sum, { freeVcpus, freeMemoryMiB }) =>
              sum +
              Math.min(
                Math.floor(freeVcpus / vcpus),
                Math.floor(freeMemoryMiB / (512 + VM_MEMORY_OVERHEAD_MIB)),
              ),
            0,
          );
          expect(made?.count ?? 0).toBe(Math.min(room, Math.floor(total / vcpus)));
        },
      ),
    );
  });

  it('makes exactly the total whenever the shapes can and room is plenty', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), shapes, (total, sizes) => {
        const plenty = Array.from({ length: 20 }, (_, n) => host(n, 1_000));
        const plan = planShare({ totalVcpus: total, shapes: sizes }, plenty, NOTHING);
        const reachable = new Set([0]);
        for (let sum = 1; sum <= total; sum += 1) {
          if (sizes.some(({ vcpus }) => reachable.has(sum - vcpus))) reachable.add(sum);
        }
        if (reachable.has(total)) expect(plan.unplacedVcpus).toBe(0);
        else expect(plan.unplacedVcpus).toBeGreaterThan(0);
      }),
    );
  });

  it('leaves out hosts that are not active, and says what is lacking', () => {
    const all = [host(1, 64, 1_000_000, false), host(2, 2), host(3, 64, 100)];
    const plan = planShare({ totalVcpus: 8, shapes: [shape(4)] }, all, NOTHING);
    expect(plan).toEqual({
      machines: [],
      unplacedVcpus: 8,
      reason: '8 cores fit nowhere: of 2 hosts, 1 lack cores and 1 lack memory.',
    });
    const rest = planShare({ totalVcpus: 9, shapes: [shape(4)] }, [host(1, 64)], NOTHING);
    expect(rest.reason).toBe('1 cores are left over: the smallest shape has 4.');
    expect(planShare({ totalVcpus: 9, shapes: [] }, all, NOTHING).reason).toContain('No shapes');
  });

  it('plans the biggest batch for a thousand hosts', () => {
    const all = Array.from({ length: 1_000 }, (_, n) => host(n, 128));
    const plan = planShare({ totalVcpus: 100_000, shapes: [shape(1), shape(3)] }, all, NOTHING);
    expect(plan.unplacedVcpus).toBe(0);
  }, 120_000);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Allocator } from './allocator.ts';
import { agent, cycle, decline, framework, newAllocator } from './testing/cluster.ts';
import { type Demand, runMarket } from './testing/task-market.ts';

/** One large agent, shared by frameworks of their own roles. */
function market(total: Demand, demands: ReadonlyMap<string, Demand>): Allocator {
  const allocator = newAllocator();
  allocator.putAgent('all', agent(`cpus:${total.cpus};mem:${total.mem}`));
  for (const id of demands.keys()) allocator.putFramework(id, framework({ roles: [id] }));
  return allocator;
}

function dominantShare({ cpus, mem }: Demand, total: Demand, tasks = 1): number {
  return tasks * Math.max(cpus / total.cpus, mem / total.mem);
}

const markets = fc
  .record({
    total: fc.record({
      cpus: fc.integer({ min: 20, max: 60 }),
      mem: fc.integer({ min: 2000, max: 6000 }),
    }),
    demands: fc.array(
      fc.record({ cpus: fc.integer({ min: 1, max: 5 }), mem: fc.integer({ min: 100, max: 500 }) }),
      { minLength: 2, maxLength: 5 },
    ),
  })
  .map(({ total, demands }) => ({
    total,
    demands: new Map(demands.map((demand, index) => [`f${index}`, demand])),
  }));

describe('Dominant Resource Fairness, by the examples of its paper', () => {
  it('gives 3 tasks of <1 CPU, 4 GB> and 2 of <3 CPUs, 1 GB> out of 9 CPUs and 18 GB (section 4.1)', () => {
    const demands = new Map([
      ['A', { cpus: 1, mem: 4096 }],
      ['B', { cpus: 3, mem: 1024 }],
    ]);
    const tasks = runMarket(market({ cpus: 9, mem: 18 * 1024 }, demands), demands);
    expect(tasks).toEqual(
      new Map([
        ['A', 3],
        ['B', 2],
      ]),
    );
  });

  it('gives those with the same needs the same (single-resource fairness)', () => {
    const demand = { cpus: 1, mem: 64 };
    const demands = new Map(['A', 'B', 'C', 'D'].map((id) => [id, demand]));
    const tasks = runMarket(market({ cpus: 20, mem: 20 * 1024 }, demands), demands);
    expect(new Set(tasks.values())).toEqual(new Set([5]));
  });

  it('gives as much more as the weight says', () => {
    const demands = new Map(['A', 'B'].map((id) => [id, { cpus: 1, mem: 64 }]));
    const allocator = market({ cpus: 40, mem: 40 * 1024 }, demands);
    allocator.setWeight('A', 3);
    expect(runMarket(allocator, demands)).toEqual(
      new Map([
        ['A', 30],
        ['B', 10],
      ]),
    );
  });

  it('shares between the branches of the role tree first', () => {
    const demand = { cpus: 1, mem: 64 };
    const demands = new Map(['eng', 'dev', 'test', 'ops'].map((id) => [id, demand]));
    const allocator = newAllocator();
    allocator.putAgent('all', agent('cpus:24;mem:24576'));
    allocator.putFramework('eng', framework({ roles: ['eng'] }));
    allocator.putFramework('dev', framework({ roles: ['eng/dev'] }));
    allocator.putFramework('test', framework({ roles: ['eng/test'] }));
    allocator.putFramework('ops', framework({ roles: ['ops'] }));
    const tasks = runMarket(allocator, demands);
    expect(tasks).toEqual(
      new Map([
        ['eng', 4],
        ['dev', 4],
        ['test', 4],
        ['ops', 12],
      ]),
    );
  });

  it('does not count scalars that are excluded from it', () => {
    const demands = new Map([
      ['A', { cpus: 1, mem: 4000 }],
      ['B', { cpus: 1, mem: 100 }],
    ]);
    const allocator = newAllocator({ fairSharingExcludedNames: ['mem'] });
    allocator.putAgent('all', agent('cpus:10;mem:40000'));
    for (const id of demands.keys()) allocator.putFramework(id, framework({ roles: [id] }));
    expect(runMarket(allocator, demands)).toEqual(
      new Map([
        ['A', 5],
        ['B', 5],
      ]),
    );
  });
});

describe('Dominant Resource Fairness in any market, but for the size of a task', () => {
  it('gives everybody at least an equal part of the cluster (sharing incentive)', () => {
    fc.assert(
      fc.property(markets, ({ total, demands }) => {
        const tasks = runMarket(market(total, demands), demands);
        const largest = Math.max(
          ...[...demands.values()].map((each) => dominantShare(each, total)),
        );
        for (const [id, demand] of demands) {
          // Who is held up by what remains of a scalar holds no less than others, up to a task.
          const share = dominantShare(demand, total, tasks.get(id));
          expect(share).toBeGreaterThanOrEqual(1 / demands.size - 2 * largest);
        }
      }),
    );
  });

  it('lets nobody run more with what another has (envy-freeness)', () => {
    fc.assert(
      fc.property(markets, ({ total, demands }) => {
        const tasks = runMarket(market(total, demands), demands);
        for (const [id, own] of demands) {
          for (const [other, theirs] of demands) {
            const count = tasks.get(other) ?? 0;
            const possible = Math.min(
              (count * theirs.cpus) / own.cpus,
              (count * theirs.mem) / own.mem,
            );
            const oneTask = dominantShare(theirs, total) / dominantShare(own, total);
            expect(possible).toBeLessThanOrEqual((tasks.get(id) ?? 0) + oneTask + 1);
          }
        }
      }),
    );
  });

  it('leaves nothing that anybody could use (Pareto efficiency)', () => {
    fc.assert(
      fc.property(markets, ({ total, demands }) => {
        const tasks = runMarket(market(total, demands), demands);
        const used = [...demands].map(([id, { cpus, mem }]) => {
          const count = tasks.get(id) ?? 0;
          return { cpus: count * cpus, mem: count * mem };
        });
        const cpus = total.cpus - used.reduce((sum, each) => sum + each.cpus, 0);
        const mem = total.mem - used.reduce((sum, each) => sum + each.mem, 0);
        expect(Math.min(cpus, mem)).toBeGreaterThanOrEqual(0);
        for (const demand of demands.values()) {
          expect(demand.cpus <= cpus && demand.mem <= mem).toBe(false);
        }
      }),
    );
  });
});

describe('waiting for an offer', () => {
  it('ends within an interval, though all the others only ever decline', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 8 }),
        (agents, count) => {
          const allocator = newAllocator();
          for (let index = 0; index < agents; index += 1)
            allocator.putAgent(`a${index}`, agent('cpus:1;mem:64'));
          for (let index = 0; index < count; index += 1)
            allocator.putFramework(`f${index}`, framework());
          for (let nowMs = 0; nowMs < 5000; nowMs += 1000) {
            allocator.tick(nowMs);
            const offered: string[] = [];
            for (let given = cycle(allocator); given.length > 0; given = cycle(allocator)) {
              offered.push(...given.map(({ frameworkId, agentId }) => `${frameworkId} ${agentId}`));
              for (const allocation of given) decline(allocator, allocation, nowMs + 1000);
            }
            // Every agent once to every framework.
            expect(new Set(offered).size).toBe(agents * count);
            expect(offered).toHaveLength(agents * count);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is as long for all who hold nothing and let offers go without refusing them', () => {
    const allocator = newAllocator();
    allocator.putAgent('a', agent('cpus:1;mem:64'));
    for (const id of ['f', 'g', 'h']) allocator.putFramework(id, framework());
    const turns = Array.from({ length: 9 }, () => {
      const given = cycle(allocator);
      for (const { agentId, frameworkId, resources } of given) {
        allocator.noteRecovered(agentId, frameworkId, resources);
      }
      return given.map(({ frameworkId }) => frameworkId).join();
    });
    expect(turns).toEqual(['f', 'g', 'h', 'f', 'g', 'h', 'f', 'g', 'h']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addResources,
  containsResources,
  isAllocatableTo,
  parseResources,
  type Resources,
  scalarQuantities,
  unallocateResources,
} from '../protocol/index.ts';
import { type Allocation, type AllocationInput, allocate } from './allocate.ts';

const ROLES = ['eng', 'qa', 'ops'];

const resources = fc
  .record({
    cpus: fc.integer({ min: 0, max: 16 }),
    mem: fc.integer({ min: 0, max: 4096 }),
    reserved: fc.option(fc.constantFrom(...ROLES)),
    ports: fc.boolean(),
  })
  .map(({ cpus, mem, reserved, ports }) =>
    parseResources(
      [
        `cpus:${cpus};mem:${mem}`,
        reserved === null ? '' : `cpus(${reserved}):2;mem(${reserved}):256`,
        ports ? 'ports:[31000-31010]' : '',
      ].join(';'),
    ),
  );

const inputs: fc.Arbitrary<AllocationInput> = fc
  .record({
    agents: fc.array(resources, { maxLength: 8 }),
    candidates: fc.uniqueArray(
      fc.record({
        frameworkId: fc.constantFrom('f1', 'f2', 'f3', 'f4'),
        role: fc.constantFrom(...ROLES),
        allocated: fc.record({ cpus: fc.integer({ min: 0, max: 20 }) }),
        minAllocatable: fc.option(fc.constant([{ cpus: 4 }]), { nil: undefined }),
      }),
      { selector: ({ frameworkId, role }) => `${frameworkId} ${role}`, maxLength: 6 },
    ),
    filters: fc.array(
      fc.record({
        frameworkId: fc.constantFrom('f1', 'f2', 'f3', 'f4'),
        role: fc.constantFrom(...ROLES),
        agent: fc.integer({ min: 0, max: 7 }),
        resources,
      }),
      { maxLength: 20 },
    ),
    weights: fc.dictionary(fc.constantFrom(...ROLES), fc.integer({ min: 1, max: 4 })),
  })
  .map(({ agents, candidates, filters, weights }) => ({
    agents: agents.map((free, index) => ({ agentId: `a${index}`, free })),
    candidates,
    filters: filters.map(({ agent, ...filter }) => ({ ...filter, agentId: `a${agent}` })),
    total: scalarQuantities(agents.flat()),
    weights: new Map(Object.entries(weights)),
  }));

function of(allocations: readonly Allocation[], agentId: string): Resources {
  const mine = allocations.filter((allocation) => allocation.agentId === agentId);
  return addResources([], unallocateResources(mine.flatMap((each) => each.resources)));
}

/** Whether the candidate may and wants to have what is left of the agent. */
function wants(
  { filters }: AllocationInput,
  candidate: AllocationInput['candidates'][number],
  agentId: string,
  left: Resources,
): boolean {
  const offered = left.filter((resource) => isAllocatableTo(resource, candidate.role));
  const { cpus = 0, mem = 0 } = scalarQuantities(offered);
  const isEnough = candidate.minAllocatable ? cpus >= 4 : cpus >= 0.01 || mem >= 32;
  const isRefused = filters.some(
    (filter) =>
      filter.frameworkId === candidate.frameworkId &&
      filter.role === candidate.role &&
      filter.agentId === agentId &&
      containsResources(filter.resources, offered),
  );
  return isEnough && !isRefused;
}

describe('any round', () => {
  it('gives no more than is free, each thing once, and only to who may have it', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const allocations = allocate(input);
        for (const { agentId, free } of input.agents) {
          expect(containsResources(free, of(allocations, agentId))).toBe(true);
        }
        for (const { role, resources: given } of allocations) {
          expect(given.every(({ allocation_info }) => allocation_info?.role === role)).toBe(true);
          expect(given.every((resource) => isAllocatableTo(resource, role))).toBe(true);
        }
      }),
    );
  });

  it('gives nobody what he refused, or less than he wants', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        for (const { frameworkId, role, agentId, resources: given } of allocate(input)) {
          const candidate = input.candidates.find(
            (each) => each.frameworkId === frameworkId && each.role === role,
          );
          if (candidate === undefined) throw new Error('nobody asked for this');
          expect(wants(input, candidate, agentId, unallocateResources(given))).toBe(true);
        }
      }),
    );
  });

  it('leaves nothing that somebody would have', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const allocations = allocate(input);
        for (const { agentId, free } of input.agents) {
          const given = allocations.filter((allocation) => allocation.agentId === agentId);
          const left = free.filter(
            (resource) =>
              !given.some((each) =>
                unallocateResources(each.resources).some(
                  (mine) => JSON.stringify(mine) === JSON.stringify(resource),
                ),
              ),
          );
          const others = input.candidates.filter(
            ({ frameworkId, role }) =>
              !given.some((each) => each.frameworkId === frameworkId && each.role === role),
          );
          expect(others.filter((candidate) => wants(input, candidate, agentId, left))).toEqual([]);
        }
      }),
    );
  });

  it('is the same again, whatever the order of the candidates', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const turned = { ...input, candidates: input.candidates.toReversed() };
        expect(allocate(turned)).toEqual(allocate(input));
      }),
    );
  });
});

describe('who comes first', () => {
  const free = parseResources('cpus:1;mem:100');
  const agents = Array.from({ length: 30 }, (_, index) => ({ agentId: `a${index}`, free }));
  const input: AllocationInput = {
    agents,
    candidates: [],
    filters: [],
    total: { cpus: 30, mem: 3000 },
    weights: new Map(),
  };
  const counts = (allocations: readonly Allocation[]): Record<string, number> => {
    const groups = Map.groupBy(allocations, ({ frameworkId }) => frameworkId);
    return Object.fromEntries([...groups].map(([id, list]) => [id, list.length]));
  };
  const candidate = (frameworkId: string, role: string, allocated = {}) => ({
    ...{ frameworkId, role, allocated },
  });

  it('is whose dominant share is smallest, whichever resource that is', () => {
    const one = [{ agentId: 'a0', free }];
    const candidates = [
      candidate('much memory', 'eng', { cpus: 1, mem: 1500 }),
      candidate('some cpus', 'qa', { cpus: 9, mem: 0 }),
    ];
    expect(allocate({ ...input, agents: one, candidates })[0]?.frameworkId).toBe('some cpus');
  });

  it('shares evenly between roles, then between the frameworks of a role', () => {
    const candidates = [candidate('a', 'eng'), candidate('b', 'qa'), candidate('c', 'qa')];
    expect(counts(allocate({ ...input, candidates }))).toEqual({ a: 15, b: 8, c: 7 });
  });

  it('counts weights', () => {
    const candidates = [candidate('a', 'eng'), candidate('b', 'qa')];
    const weights = new Map([['eng', 2]]);
    expect(counts(allocate({ ...input, candidates, weights }))).toEqual({ a: 20, b: 10 });
  });

  it('lets who has little catch up', () => {
    const candidates = [candidate('a', 'eng', { cpus: 10 }), candidate('b', 'qa')];
    expect(counts(allocate({ ...input, candidates }))).toEqual({ a: 10, b: 20 });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unallocateResources } from '../protocol/index.ts';
import type { Allocator } from './allocator.ts';
import type { Allocation } from './facts.ts';
import { agent, cycle, framework, newAllocator } from './testing/cluster.ts';
import { Model } from './testing/model.ts';

const ROLES = ['a', 'a/x', 'a/y', 'b'];
const amounts = fc.record({
  cpus: fc.integer({ min: 1, max: 8 }),
  mem: fc.integer({ min: 1, max: 8 }),
});
const reserved = fc.option(fc.constantFrom(...ROLES), { freq: 3 });
const agentId = fc.constantFrom('a1', 'a2', 'a3', 'a4');
const frameworkId = fc.constantFrom('f1', 'f2', 'f3');
const roles = fc.uniqueArray(fc.constantFrom(...ROLES), { minLength: 1, maxLength: 2 });

const event = fc.oneof(
  fc.record({ type: fc.constant('agent' as const), agentId, amounts, reserved }),
  fc.record({ type: fc.constant('agent-lost' as const), agentId }),
  fc.record({ type: fc.constant('activity' as const), agentId, isActive: fc.boolean() }),
  fc.record({
    type: fc.constant('framework' as const),
    frameworkId,
    roles,
    suppressed: fc.boolean(),
    isActive: fc.boolean(),
  }),
  fc.record({ type: fc.constant('release' as const), which: fc.nat(20), isRefused: fc.boolean() }),
  fc.record({ type: fc.constant('part' as const), which: fc.nat(20) }),
  fc.record({ type: fc.constant('revive' as const), frameworkId, roles }),
  fc.record({
    type: fc.constant('quota' as const),
    role: fc.constantFrom('a', 'a/x', 'b'),
    guarantee: fc.integer({ min: 0, max: 6 }),
    more: fc.integer({ min: 0, max: 6 }),
  }),
  fc.record({
    type: fc.constant('weight' as const),
    role: fc.constantFrom(...ROLES),
    weight: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ type: fc.constant('tick' as const) }),
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const INTERVAL_MS = 1000;

/** An allocator with its model beside it, and the time. */
class Run {
  readonly allocator: Allocator = newAllocator();
  readonly model = new Model();
  readonly given: Allocation[] = [];
  #nowMs = 0;

  apply(each: Event): void {
    const { allocator, model } = this;
    switch (each.type) {
      case 'agent': {
        const text = `cpus:${each.amounts.cpus};mem:${each.amounts.mem * 32}`;
        const own =
          each.reserved === null ? '' : `;cpus(${each.reserved}):2;mem(${each.reserved}):64`;
        if (model.held.some((held) => held.agentId === each.agentId)) return;
        const facts = agent(text + own);
        model.agents.set(each.agentId, facts);
        allocator.putAgent(each.agentId, facts);
        return;
      }
      case 'agent-lost':
        model.agents.delete(each.agentId);
        remove(model.held, (held) => held.agentId === each.agentId);
        remove(model.refusals, (refusal) => refusal.agentId === each.agentId);
        allocator.removeAgent(each.agentId);
        return;
      case 'activity':
        if (each.isActive) model.inactive.delete(each.agentId);
        else model.inactive.add(each.agentId);
        allocator.setAgentActive(each.agentId, each.isActive);
        return;
      case 'framework': {
        const suppressed = each.suppressed ? each.roles.slice(0, 1) : [];
        const facts = framework({ roles: each.roles, suppressed, isActive: each.isActive });
        model.frameworks.set(each.frameworkId, facts);
        remove(
          model.refusals,
          (old) => old.frameworkId === each.frameworkId && !each.roles.includes(old.role),
        );
        allocator.putFramework(each.frameworkId, facts);
        return;
      }
      case 'release': {
        const [held] = model.held.splice(each.which, 1);
        if (held === undefined) return;
        allocator.noteRecovered(held.agentId, held.frameworkId, held.resources);
        const isKnown = model.frameworks.get(held.frameworkId)?.roles.includes(held.role) === true;
        if (!each.isRefused || !isKnown) return;
        const untilMs = this.#nowMs + 2 * INTERVAL_MS;
        model.refusals.push({ ...held, untilMs });
        allocator.refuse(held, unallocateResources(held.resources), untilMs);
        return;
      }
      case 'part': {
        const held = model.held[each.which];
        const [first, ...rest] = held?.resources ?? [];
        if (held === undefined || first === undefined || rest.length === 0) return;
        model.held[each.which] = { ...held, resources: rest };
        allocator.noteRecovered(held.agentId, held.frameworkId, [first]);
        return;
      }
      case 'revive':
        remove(
          model.refusals,
          (old) => old.frameworkId === each.frameworkId && each.roles.includes(old.role),
        );
        allocator.forgetRefusals(each.frameworkId, each.roles);
        return;
      case 'quota': {
        const { role, guarantee, more } = each;
        const quota = {
          guarantees: { cpus: guarantee, mem: guarantee * 32 },
          limits: { cpus: guarantee + more },
        };
        model.quotas.set(role, quota);
        allocator.setQuota(role, quota);
        return;
      }
      case 'weight':
        allocator.setWeight(each.role, each.weight);
        return;
      case 'tick':
        this.tick();
        return;
    }
  }

  tick(): void {
    this.#nowMs += INTERVAL_MS;
    this.allocator.tick(this.#nowMs);
    remove(this.model.refusals, ({ untilMs }) => untilMs <= this.#nowMs);
  }

  /** A whole cycle. @returns what is wrong with it. */
  cycle(): readonly string[] {
    const allocations = cycle(this.allocator);
    this.given.push(...allocations);
    return allocations.flatMap((allocation) => this.model.give(allocation));
  }
}

function remove<T>(list: T[], isOver: (item: T) => boolean): void {
  list.splice(0, list.length, ...list.filter((item) => !isOver(item)));
}

const runs = fc.array(fc.array(event, { maxLength: 6, size: 'max' }), {
  maxLength: 12,
  size: 'max',
});

function played(groups: readonly (readonly Event[])[]): Run {
  const run = new Run();
  for (const events of groups) {
    for (const each of events) run.apply(each);
    run.cycle();
  }
  return run;
}

describe('whatever happens', () => {
  it('nothing is given twice, beyond capacity, limits or headroom, or to who may not have it', () => {
    fc.assert(
      fc.property(runs, (groups) => {
        const run = new Run();
        for (const events of groups) {
          for (const each of events) run.apply(each);
          expect(run.cycle()).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('the running accounts are what there is when all is added up anew', () => {
    fc.assert(
      fc.property(runs, (groups) => {
        const { allocator, model } = played(groups);
        expect(allocator.problems()).toEqual([]);
        for (const id of ['f1', 'f2', 'f3']) {
          for (const role of ROLES) {
            expect(allocator.usageOf(id, role)).toEqual(withoutZeros(model.usageOf(id, role)));
          }
        }
      }),
    );
  });

  it('an allocator that only knows how things stand finds nothing more to give', () => {
    fc.assert(
      fc.property(runs, (groups) => {
        const run = played(groups);
        run.tick();
        run.cycle();
        run.tick();
        run.cycle();
        expect(cycle(run.model.replay())).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('the same events give the same allocations, however the cycles are cut', () => {
    fc.assert(
      fc.property(runs, (groups) => {
        expect(played(groups).given).toEqual(played(groups).given);
        const whole = new Run();
        for (const events of groups) {
          for (const each of events) whole.apply(each);
          const limit = { isOver: () => false, allocationsMax: 1000 };
          const allocations = whole.allocator.slice(limit);
          whole.given.push(...allocations);
          for (const allocation of allocations) whole.model.give(allocation);
        }
        expect(whole.given).toEqual(played(groups).given);
      }),
    );
  });
});

function withoutZeros(quantities: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(quantities).filter(([, amount]) => amount !== 0));
}

import {
  addResources,
  containsResources,
  formatResources,
  isAllocatableTo,
  type Quantities,
  type Resources,
  reservationRole,
  reservationsOf,
  scalarQuantities,
  unallocateResources,
} from '../../protocol/index.ts';
import type { Allocator } from '../allocator.ts';
import type { AgentFacts, Allocation, FrameworkFacts } from '../facts.ts';
import type { Quota } from '../port.ts';
import { newAllocator } from './cluster.ts';

/**
 * The same events, kept in the plainest way and added up anew for every question: what the
 * allocator's books must agree with.
 */
export class Model {
  readonly agents = new Map<string, AgentFacts>();
  readonly frameworks = new Map<string, FrameworkFacts>();
  readonly quotas = new Map<string, Quota>();
  readonly inactive = new Set<string>();
  readonly held: Allocation[] = [];
  readonly refusals: (Allocation & { readonly untilMs: number })[] = [];

  /** What is wrong with giving this away now; empty when it is right. Takes it into the books. */
  give(allocation: Allocation): readonly string[] {
    const { agentId, frameworkId, role, resources } = allocation;
    const plain = unallocateResources(resources);
    const framework = this.frameworks.get(frameworkId);
    const problems: string[] = [];
    const claim = (holds: boolean, problem: string): void => {
      if (!holds)
        problems.push(`${problem}: ${frameworkId} ${role} ${agentId} ${formatResources(plain)}`);
    };
    claim(framework?.isActive === true && framework.roles.includes(role), 'not subscribed');
    claim(framework?.suppressedRoles.has(role) === false, 'suppressed');
    claim(!this.inactive.has(agentId), 'the agent is not active');
    claim(
      plain.every((resource) => isAllocatableTo(resource, role)),
      'reserved for others',
    );
    claim(containsResources(this.freeOf(agentId), plain), 'more than is free');
    const refusals = this.refusals.filter(
      (refusal) =>
        refusal.agentId === agentId &&
        refusal.frameworkId === frameworkId &&
        refusal.role === role &&
        containsResources(unallocateResources(refusal.resources), plain),
    );
    claim(refusals.length === 0, 'refused');
    const open = scalarQuantities(plain.filter((each) => reservationsOf(each).length === 0));
    const unmetBefore = this.#unmet(role);
    this.held.push(allocation);
    for (const [name, amount] of Object.entries(open)) {
      if (amount <= 0) continue;
      claim(this.#isWithinLimits(role, name), `beyond the limit of ${name}`);
      const isForGuarantee = (unmetBefore[name] ?? 0) >= amount;
      claim(isForGuarantee || this.#keepsHeadroom(name), `into the headroom of ${name}`);
    }
    return problems;
  }

  freeOf(agentId: string): Resources {
    const total = this.agents.get(agentId)?.total ?? [];
    const held = this.held.filter((each) => each.agentId === agentId);
    const all = addResources([], unallocateResources(held.flatMap(({ resources }) => resources)));
    return subtract(total, all);
  }

  usageOf(frameworkId: string, role: string): Quantities {
    const mine = this.held.filter((each) => each.frameworkId === frameworkId && each.role === role);
    return scalarQuantities(mine.flatMap(({ resources }) => resources));
  }

  /** An allocator that has been told nothing but how things stand. */
  replay(): Allocator {
    const allocator = newAllocator();
    for (const [role, quota] of this.quotas) allocator.setQuota(role, quota);
    for (const agentId of this.inactive) allocator.setAgentActive(agentId, false);
    for (const [agentId, facts] of this.agents) allocator.putAgent(agentId, facts);
    for (const [id, facts] of this.frameworks) allocator.putFramework(id, facts);
    for (const { agentId, frameworkId, resources } of this.held) {
      allocator.noteTaken(agentId, frameworkId, resources);
    }
    for (const { resources, untilMs, ...refused } of this.refusals) {
      allocator.refuse(refused, unallocateResources(resources), untilMs);
    }
    return allocator;
  }

  #isWithinLimits(role: string, name: string): boolean {
    return pathsOf(role).every((path) => {
      const limit = this.quotas.get(path)?.limits[name];
      return limit === undefined || this.#consumed(path, name) <= limit;
    });
  }

  #keepsHeadroom(name: string): boolean {
    const free = [...this.agents.keys()]
      .filter((agentId) => !this.inactive.has(agentId))
      .flatMap((agentId) => this.freeOf(agentId))
      .filter((each) => reservationsOf(each).length === 0);
    return (scalarQuantities(free)[name] ?? 0) >= this.#required('', name);
  }

  /** Headroom that the role and its descendants need, by its definition. */
  #required(path: string, name: string): number {
    const children = [...this.quotas.keys()].filter((other) => isBelow(other, path));
    const next = new Set(children.map((child) => nextBelow(child, path)));
    const byChildren = [...next].reduce((sum, child) => sum + this.#required(child, name), 0);
    if (path === '') return byChildren;
    const limit = this.quotas.get(path)?.limits[name] ?? Number.POSITIVE_INFINITY;
    const consumed = this.#consumed(path, name);
    const own = (this.quotas.get(path)?.guarantees[name] ?? 0) - consumed;
    return Math.min(Math.max(0, own, byChildren), Math.max(0, limit - consumed));
  }

  /** The largest part of a guarantee on the role's path that is still open. */
  #unmet(role: string): Quantities {
    const unmet: Record<string, number> = {};
    for (const path of pathsOf(role)) {
      for (const [name, amount] of Object.entries(this.quotas.get(path)?.guarantees ?? {})) {
        unmet[name] = Math.max(unmet[name] ?? 0, amount - this.#consumed(path, name));
      }
    }
    return unmet;
  }

  #consumed(path: string, name: string): number {
    const reserved = [...this.agents.values()]
      .flatMap(({ total }) => total)
      .filter((each) => isWithin(reservationRole(each), path));
    const held = this.held
      .filter(({ role }) => isWithin(role, path))
      .flatMap(({ resources }) => resources)
      .filter((each) => reservationsOf(each).length === 0);
    return scalarQuantities([...reserved, ...held])[name] ?? 0;
  }
}

function subtract(total: Resources, held: Resources): Resources {
  return held.reduce<Resources>((left, each) => {
    return left.flatMap((from) => {
      if (from.name !== each.name || reservationRole(from) !== reservationRole(each)) return from;
      const value = (from.scalar?.value ?? 0) - (each.scalar?.value ?? 0);
      return value > 0 ? { ...from, scalar: { value: Math.round(value * 1000) / 1000 } } : [];
    });
  }, total);
}

function pathsOf(role: string): readonly string[] {
  const parts = role.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function isWithin(role: string, path: string): boolean {
  return role === path || role.startsWith(`${path}/`);
}

function isBelow(role: string, path: string): boolean {
  return path === '' || role.startsWith(`${path}/`);
}

function nextBelow(role: string, path: string): string {
  const from = path === '' ? 0 : path.length + 1;
  const slash = role.indexOf('/', from);
  return slash < 0 ? role : role.slice(0, slash);
}

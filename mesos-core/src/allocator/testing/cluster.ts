import { parseResources, type Quantities, unallocateResources } from '../../protocol/index.ts';
import { Allocator, type AllocatorOptions } from '../allocator.ts';
import type { AgentFacts, Allocation, FrameworkFacts } from '../facts.ts';

const NO_CAPABILITIES: FrameworkFacts['capabilities'] = {
  isGpuAware: false,
  isRegionAware: false,
  takesRevocable: false,
  takesShared: false,
  takesRefined: true,
};

export type Capability = keyof FrameworkFacts['capabilities'];

export interface FrameworkOptions {
  readonly roles?: readonly string[];
  readonly can?: readonly Capability[];
  readonly suppressed?: readonly string[];
  readonly min?: readonly Quantities[];
  readonly group?: string;
  readonly isActive?: boolean;
  readonly exclusions?: FrameworkFacts['exclusions'];
}

/** An allocator with the defaults of Mesos, which always draws the same number. */
export function newAllocator(options: Partial<AllocatorOptions> = {}): Allocator {
  return new Allocator({
    roleSorter: 'drf',
    frameworkSorter: 'drf',
    fairSharingExcludedNames: [],
    filterGpuResources: true,
    isolateGroups: false,
    offersDeclinedAtOnce: true,
    minAllocatable: [{ cpus: 0.01 }, { mem: 32 }],
    minAllocatableByRole: new Map(),
    random: { next: () => 0, bytes: (length) => new Uint8Array(length) },
    ...options,
  });
}

/** A framework as the allocator is told of it. */
export function framework(options: FrameworkOptions = {}): FrameworkFacts {
  const { roles = ['*'], can = [], suppressed = [], min, group, isActive = true } = options;
  return {
    roles,
    suppressedRoles: new Set(suppressed),
    isActive,
    capabilities: { ...NO_CAPABILITIES, ...Object.fromEntries(can.map((name) => [name, true])) },
    minAllocatable: min,
    group,
    exclusions: options.exclusions,
  };
}

/** An agent with resources in the syntax of Mesos' flag. */
export function agent(resources: string, more: Partial<AgentFacts> = {}): AgentFacts {
  return {
    identity: { hostname: 'host', attributes: [], domain: undefined },
    total: parseResources(resources),
    isRemote: false,
    ...more,
  };
}

/** A whole cycle, one agent a slice. */
export function cycle(allocator: Allocator): readonly Allocation[] {
  const allocations: Allocation[] = [];
  const limit = { isOver: () => true, allocationsMax: 1000 };
  while (!allocator.isIdle) allocations.push(...allocator.slice(limit));
  return allocations;
}

/** The framework declines: it does not want the same of the agent until the time. */
export function decline(allocator: Allocator, allocation: Allocation, untilMs: number): void {
  const { frameworkId, role, agentId, resources } = allocation;
  allocator.noteRecovered(agentId, frameworkId, resources);
  const refused = { frameworkId, role, agentId };
  allocator.refuse(refused, unallocateResources(resources), untilMs);
}

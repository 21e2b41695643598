import { allocateResources, parseResources, type Resources } from '../../protocol/index.ts';
import type { Allocator } from '../allocator.ts';
import type { Allocation } from '../facts.ts';
import { cycle, decline } from './cluster.ts';

/** CPUs and MiB of one task. */
export interface Demand {
  readonly cpus: number;
  readonly mem: number;
}

const FOREVER_MS = 1e12;

/**
 * Frameworks that run as many tasks of one size as they can: each takes one task from an offer, and
 * declines an offer that is too small for one. Ends when nobody can run another.
 * @returns how many tasks each runs.
 */
export function runMarket(
  allocator: Allocator,
  demands: ReadonlyMap<string, Demand>,
): ReadonlyMap<string, number> {
  const tasks = new Map([...demands.keys()].map((id) => [id, 0]));
  for (let allocations = cycle(allocator); allocations.length > 0; allocations = cycle(allocator)) {
    for (const allocation of allocations) {
      const { frameworkId, agentId, role, resources } = allocation;
      const demand = demands.get(frameworkId);
      if (demand === undefined || !isEnough(allocation, demand)) {
        decline(allocator, allocation, FOREVER_MS);
        continue;
      }
      allocator.noteRecovered(agentId, frameworkId, resources);
      allocator.noteTaken(agentId, frameworkId, taskOf(demand, role));
      tasks.set(frameworkId, (tasks.get(frameworkId) ?? 0) + 1);
    }
  }
  return tasks;
}

function taskOf({ cpus, mem }: Demand, role: string): Resources {
  return allocateResources(parseResources(`cpus:${cpus};mem:${mem}`), role);
}

function isEnough({ resources }: Allocation, { cpus, mem }: Demand): boolean {
  const amount = (name: string): number =>
    resources.find((resource) => resource.name === name)?.scalar?.value ?? 0;
  return amount('cpus') >= cpus && amount('mem') >= mem;
}

import {
  allocateResources,
  containsResources,
  isAllocatableTo,
  type Quantities,
  type Resources,
  scalarQuantities,
} from '../protocol/index.ts';

/** An agent with what nobody uses and nobody is offered, without allocation marks. */
export interface AllocatableAgent {
  readonly agentId: string;
  readonly free: Resources;
  /** It has GPUs, free or not: only frameworks that know of them are offered anything of it. */
  readonly hasGpus?: boolean;
}

/** A framework that may be offered resources under one of its roles. */
export interface Candidate {
  readonly frameworkId: string;
  readonly role: string;
  /** What it uses and is offered under this role. */
  readonly allocated: Quantities;
  /**
   * It only wants offers that have at least one of these sets of quantities; empty: any at all;
   * `undefined`: the usual minimum, 0.01 CPUs or 32 MiB.
   */
  readonly minAllocatable?: readonly Quantities[] | undefined;
  readonly isGpuAware?: boolean;
}

/** A refusal: not these resources (or fewer) of this agent, until it expires. */
export interface OfferFilter {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  readonly resources: Resources;
}

export interface AllocationInput {
  readonly agents: readonly AllocatableAgent[];
  readonly candidates: readonly Candidate[];
  readonly filters: readonly OfferFilter[];
  /** The whole cluster: shares are parts of it. */
  readonly total: Quantities;
  /** Weights of roles; 1 where none is set. */
  readonly weights: ReadonlyMap<string, number>;
}

/** Resources of one agent for one framework's role, marked as allocated to it. */
export interface Allocation {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  readonly resources: Resources;
}

/** Less than either is not worth an offer (Mesos' `--min_allocatable_resources`). */
const USUAL_MINIMUM: readonly Quantities[] = [{ cpus: 0.01 }, { mem: 32 }];

/**
 * Who is offered what: each agent's free resources, as a whole, to the candidate with the smallest
 * weighted dominant share that may and wants to have them (Dominant Resource Fairness, Ghodsi et
 * al., NSDI 2011; first among roles, then among the frameworks of a role, and coarse-grained, like
 * Mesos' hierarchical allocator). What one candidate refuses, or may not have, is offered to the
 * next in the same round. Pure.
 */
export function allocate(input: AllocationInput): readonly Allocation[] {
  const allocations: Allocation[] = [];
  const ranking = new Ranking(input);
  const filters = Map.groupBy(input.filters, (filter) => keyOf(filter, filter.agentId));
  for (const agent of input.agents) {
    let free = agent.free;
    // Nothing changes the order while one agent is dealt out, but what is given of it.
    for (const candidate of ranking.inOrder()) {
      if (free.length === 0) break;
      if (agent.hasGpus === true && candidate.isGpuAware !== true) continue;
      const { frameworkId, role } = candidate;
      const offered = free.filter((resource) => isAllocatableTo(resource, role));
      const quantities = scalarQuantities(offered);
      if (!hasMinimum(quantities, candidate.minAllocatable ?? USUAL_MINIMUM)) continue;
      const refusals = filters.get(keyOf(candidate, agent.agentId)) ?? [];
      if (refusals.some((refusal) => containsResources(refusal.resources, offered))) continue;
      const resources = allocateResources(offered, role);
      allocations.push({ frameworkId, role, agentId: agent.agentId, resources });
      ranking.give(candidate, quantities);
      free = free.filter((resource) => !offered.includes(resource));
    }
  }
  return allocations;
}

/** Somebody's dominant share, kept up to date as it is given more. */
class Share {
  readonly #amounts: Map<string, number>;
  readonly #total: Quantities;
  readonly #weight: number;
  value = 0;

  constructor(total: Quantities, weight: number) {
    this.#amounts = new Map();
    this.#total = total;
    this.#weight = weight;
  }

  add(quantities: Quantities): void {
    for (const [name, added] of Object.entries(quantities)) {
      const amount = (this.#amounts.get(name) ?? 0) + added;
      this.#amounts.set(name, amount);
      const all = this.#total[name] ?? 0;
      if (all > 0) this.value = Math.max(this.value, amount / all / this.#weight);
    }
  }
}

/** The candidates by their roles' shares and then their own; names break ties, so it is stable. */
class Ranking {
  readonly #entries: { candidate: Candidate; own: Share; role: Share }[];
  #isSorted = false;

  constructor({ candidates, total, weights }: AllocationInput) {
    const roles = new Map<string, Share>();
    this.#entries = candidates.map((candidate) => {
      const weight = weights.get(candidate.role) ?? 1;
      const role = roles.get(candidate.role) ?? new Share(total, weight);
      roles.set(candidate.role, role);
      const own = new Share(total, weight);
      own.add(candidate.allocated);
      role.add(candidate.allocated);
      return { candidate, own, role };
    });
  }

  inOrder(): readonly Candidate[] {
    if (!this.#isSorted) {
      this.#entries.sort(
        (a, b) =>
          a.role.value - b.role.value ||
          a.own.value - b.own.value ||
          compareTexts(a.candidate.role, b.candidate.role) ||
          compareTexts(a.candidate.frameworkId, b.candidate.frameworkId),
      );
      this.#isSorted = true;
    }
    return this.#entries.map(({ candidate }) => candidate);
  }

  give(candidate: Candidate, quantities: Quantities): void {
    const entry = this.#entries.find((each) => each.candidate === candidate);
    entry?.own.add(quantities);
    entry?.role.add(quantities);
    this.#isSorted = false;
  }
}

function hasMinimum(quantities: Quantities, minimums: readonly Quantities[]): boolean {
  const amounts = Object.values(quantities);
  if (!amounts.some((amount) => amount > 0)) return false;
  if (minimums.length === 0) return true;
  return minimums.some((minimum) =>
    Object.entries(minimum).every(([name, value]) => (quantities[name] ?? 0) >= value),
  );
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function keyOf(holder: { frameworkId: string; role: string }, agentId: string): string {
  return `${holder.frameworkId} ${holder.role} ${agentId}`;
}

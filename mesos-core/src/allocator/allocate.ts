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
}

/** A framework that may be offered resources under one of its roles. */
export interface Candidate {
  readonly frameworkId: string;
  readonly role: string;
  /** What it uses and is offered under this role. */
  readonly allocated: Quantities;
  /** It only wants offers that have at least one of these sets of quantities; empty: any. */
  readonly minAllocatable: readonly Quantities[];
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

/** Less than this of both is not worth an offer (Mesos' MIN_CPUS and MIN_MEM). */
const MIN_CPUS = 0.01;
const MIN_MEM_MIB = 32;

/**
 * Who is offered what: each agent's free resources, as a whole, to the candidate with the smallest
 * weighted dominant share that may and wants to have them (Dominant Resource Fairness, Ghodsi et
 * al., NSDI 2011; coarse-grained like Mesos' hierarchical allocator). What one candidate refuses is
 * offered to the next in the same round. Pure.
 */
export function allocate(input: AllocationInput): readonly Allocation[] {
  const allocations: Allocation[] = [];
  const shares = new Map(
    input.candidates.map((each) => [each, shareOf(each.allocated, each.role, input)]),
  );
  const filters = Map.groupBy(input.filters, (filter) => keyOf(filter, filter.agentId));
  for (const agent of input.agents) {
    let free = agent.free;
    for (const candidate of inOrder(input.candidates, shares)) {
      const offered = free.filter((resource) => isAllocatableTo(resource, candidate.role));
      const refusals = filters.get(keyOf(candidate, agent.agentId)) ?? [];
      if (!isWanted(offered, candidate, refusals)) continue;
      const resources = allocateResources(offered, candidate.role);
      const { frameworkId, role } = candidate;
      allocations.push({ frameworkId, role, agentId: agent.agentId, resources });
      const added = shareOf(scalarQuantities(offered), role, input);
      shares.set(candidate, (shares.get(candidate) ?? 0) + added);
      free = free.filter((resource) => !offered.includes(resource));
    }
  }
  return allocations;
}

/** By weighted share of the role, then of the framework; names break ties, so that it is stable. */
function inOrder(
  candidates: readonly Candidate[],
  shares: ReadonlyMap<Candidate, number>,
): readonly Candidate[] {
  const byRole = new Map<string, number>();
  for (const candidate of candidates) {
    const share = (byRole.get(candidate.role) ?? 0) + (shares.get(candidate) ?? 0);
    byRole.set(candidate.role, share);
  }
  return [...candidates].sort(
    (a, b) =>
      (byRole.get(a.role) ?? 0) - (byRole.get(b.role) ?? 0) ||
      (shares.get(a) ?? 0) - (shares.get(b) ?? 0) ||
      (a.frameworkId < b.frameworkId ? -1 : 1),
  );
}

/** The largest part of any resource, divided by the role's weight. */
function shareOf(
  quantities: Quantities,
  role: string,
  { total, weights }: AllocationInput,
): number {
  const parts = Object.entries(quantities).map(([name, value]) => {
    const all = total[name] ?? 0;
    return all > 0 ? value / all : 0;
  });
  return Math.max(0, ...parts) / (weights.get(role) ?? 1);
}

function isWanted(
  offered: Resources,
  candidate: Candidate,
  refusals: readonly OfferFilter[],
): boolean {
  const quantities = scalarQuantities(offered);
  const isWorthIt = (quantities.cpus ?? 0) >= MIN_CPUS || (quantities.mem ?? 0) >= MIN_MEM_MIB;
  if (!isWorthIt || !hasMinimum(quantities, candidate.minAllocatable)) return false;
  return !refusals.some((refusal) => containsResources(refusal.resources, offered));
}

function hasMinimum(quantities: Quantities, minimums: readonly Quantities[]): boolean {
  if (minimums.length === 0) return true;
  return minimums.some((minimum) =>
    Object.entries(minimum).every(([name, value]) => (quantities[name] ?? 0) >= value),
  );
}

function keyOf(holder: { frameworkId: string; role: string }, agentId: string): string {
  return `${holder.frameworkId} ${holder.role} ${agentId}`;
}

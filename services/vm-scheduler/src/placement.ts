import { VM_MEMORY_OVERHEAD_MIB, type VmAssignment } from '@factory/contracts';

/** Resources in Mesos' units: whole and parts of cpus, MiB of memory, MiB of disk. */
export interface Amounts {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

export const NOTHING: Amounts = { cpus: 0, memoryMiB: 0, diskMiB: 0 };

/** What is on offer at one agent, all its offers together. */
export interface AgentOffer {
  readonly agentId: string;
  readonly hostName: string;
  readonly free: Amounts;
  /** Whether the VM executor already runs there; if not, its own resources come on top. */
  readonly hasExecutor: boolean;
}

export interface PlacementRequest {
  readonly vmId: string;
  readonly need: Amounts;
  /** The only agent that will do: the one with its disk. */
  readonly boundAgentId: string | null;
}

export interface Placement {
  /** Agent of each VM that got a place. */
  readonly agentOf: ReadonlyMap<string, string>;
  /** Why each of the others did not, in words with counts. */
  readonly waiting: ReadonlyMap<string, string>;
}

/** What a task takes that only cleans up: Mesos wants every task to take something. */
const CLEAN_UP_NEED: Amounts = { cpus: 0.01, memoryMiB: 32, diskMiB: 0 };

/**
 * What a VM's task takes from its host: the VM's own size and what QEMU needs beside it. To remove
 * a VM there is always room.
 */
export function needOf({ spec, desired }: Pick<VmAssignment, 'spec' | 'desired'>): Amounts {
  if (desired === 'deleted') return CLEAN_UP_NEED;
  return {
    cpus: spec.vcpus,
    memoryMiB: spec.memoryMiB + VM_MEMORY_OVERHEAD_MIB,
    diskMiB: spec.diskGiB * 1024,
  };
}

/**
 * Who goes where. Best fit decreasing, spread: the biggest VM first (it has the fewest places),
 * each to the agent that keeps the largest share of its memory free, so that a batch is spread
 * and boots in parallel. Bound VMs go before all others: their place is the only one.
 */
export function place(
  requests: readonly PlacementRequest[],
  offers: readonly AgentOffer[],
  executorNeed: Amounts,
): Placement {
  const agents = new Map(offers.map((offer) => [offer.agentId, { ...offer }]));
  const totals = new Map(offers.map((offer) => [offer.agentId, offer.free]));
  const agentOf = new Map<string, string>();
  const waiting = new Map<string, string>();
  for (const request of [...requests].sort(byUrgency)) {
    const candidates = candidatesFor(request, agents);
    const best = candidates
      .filter((agent) => fits(withExecutor(request.need, agent, executorNeed), agent.free))
      .map((agent) => ({ agent, score: freeShareAfter(agent, request.need, totals) }))
      .reduce<Scored | undefined>((top, next) => (isBetter(next, top) ? next : top), undefined);
    if (best === undefined) {
      waiting.set(request.vmId, explain(request, candidates, agents.size, executorNeed));
      continue;
    }
    const { agent } = best;
    const taken = withExecutor(request.need, agent, executorNeed);
    agents.set(agent.agentId, { ...agent, hasExecutor: true, free: minus(agent.free, taken) });
    agentOf.set(request.vmId, agent.agentId);
  }
  return { agentOf, waiting };
}

interface Scored {
  readonly agent: AgentOffer;
  readonly score: number;
}

function byUrgency(a: PlacementRequest, b: PlacementRequest): number {
  const bound = Number(b.boundAgentId !== null) - Number(a.boundAgentId !== null);
  return bound || b.need.memoryMiB - a.need.memoryMiB || b.need.cpus - a.need.cpus;
}

function candidatesFor(
  request: PlacementRequest,
  agents: ReadonlyMap<string, AgentOffer>,
): readonly AgentOffer[] {
  if (request.boundAgentId === null) return [...agents.values()];
  const bound = agents.get(request.boundAgentId);
  return bound === undefined ? [] : [bound];
}

function isBetter(next: Scored, top: Scored | undefined): boolean {
  return (
    top === undefined ||
    next.score > top.score ||
    (next.score === top.score && next.agent.agentId < top.agent.agentId)
  );
}

function freeShareAfter(
  agent: AgentOffer,
  need: Amounts,
  totals: ReadonlyMap<string, Amounts>,
): number {
  const total = totals.get(agent.agentId)?.memoryMiB ?? 1;
  return (agent.free.memoryMiB - need.memoryMiB) / Math.max(1, total);
}

function withExecutor(need: Amounts, agent: AgentOffer, executorNeed: Amounts): Amounts {
  return agent.hasExecutor ? need : plus(need, executorNeed);
}

const KINDS = ['cpus', 'memoryMiB', 'diskMiB'] as const;
const KIND_NAMES = { cpus: 'cpus', memoryMiB: 'memory', diskMiB: 'disk' } as const;

function fits(need: Amounts, free: Amounts): boolean {
  return KINDS.every((kind) => need[kind] <= free[kind] + 1e-6);
}

function explain(
  request: PlacementRequest,
  candidates: readonly AgentOffer[],
  agentCount: number,
  executorNeed: Amounts,
): string {
  if (request.boundAgentId !== null && candidates.length === 0) {
    return 'Its disk is on a host that makes no offer at present; waiting for that host.';
  }
  if (agentCount === 0) return 'No agent offers anything at present.';
  const lacks = KINDS.map((kind) => {
    const lacking = candidates.filter(
      (agent) => withExecutor(request.need, agent, executorNeed)[kind] > agent.free[kind] + 1e-6,
    );
    return { name: KIND_NAMES[kind], count: lacking.length };
  }).filter(({ count }) => count > 0);
  const words = lacks.map(({ name, count }) => `${count} lack ${name}`).join(', ');
  const agents =
    candidates.length === 1 ? '1 agent makes offers' : `${candidates.length} agents make offers`;
  return `${agents}: ${words}.`;
}

export function plus(a: Amounts, b: Amounts): Amounts {
  return {
    cpus: a.cpus + b.cpus,
    memoryMiB: a.memoryMiB + b.memoryMiB,
    diskMiB: a.diskMiB + b.diskMiB,
  };
}

/** What is left of `a`. Mesos' scalars have three decimals: binary fractions must not add up. */
export function minus(a: Amounts, b: Amounts): Amounts {
  return {
    cpus: Math.round((a.cpus - b.cpus) * 1000) / 1000,
    memoryMiB: Math.round((a.memoryMiB - b.memoryMiB) * 1000) / 1000,
    diskMiB: Math.round((a.diskMiB - b.diskMiB) * 1000) / 1000,
  };
}

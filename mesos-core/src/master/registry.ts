import type { DrainConfig, MachineID, MaintenanceWindow, QuotaConfig } from '../protocol/index.ts';

/**
 * What a master must remember across its own death; everything else is told anew by agents and
 * frameworks. Written whole: it is small, and changes only when an agent or framework comes or goes.
 */
export interface Registry {
  /** Prefix of all ids that this cluster gives out; the same for ever. */
  readonly masterId: string;
  /** How often a master has started on this registry. */
  readonly starts: number;
  readonly nextAgentNumber: number;
  readonly nextFrameworkNumber: number;
  readonly agents: readonly RegisteredAgent[];
  readonly frameworks: readonly RegisteredFramework[];
  /** Ids of frameworks that were removed: they may not come back. Bounded, oldest first. */
  readonly removedFrameworkIds: readonly string[];
  /** Absent until an operator plans something. */
  readonly maintenance?: RegisteredMaintenance;
  /** By role; absent until an operator sets one. */
  readonly quotas?: readonly QuotaConfig[];
  readonly weights?: readonly RegisteredWeight[];
}

export interface RegisteredAgent {
  readonly id: string;
  readonly hostname: string;
  /** `gone`: declared dead for good by an operator. */
  readonly state: 'admitted' | 'unreachable' | 'gone';
  readonly sinceMs: number;
  /** An operator took it out of service: nothing of it is offered. */
  readonly deactivated?: true;
  readonly drain?: RegisteredDrain;
}

/** An operator wants the agent empty. */
export interface RegisteredDrain {
  readonly state: 'DRAINING' | 'DRAINED';
  readonly config: DrainConfig;
  readonly startedAtMs: number;
}

/** How much a role counts among its siblings. */
export interface RegisteredWeight {
  readonly role: string;
  readonly weight: number;
}

/** Planned maintenance of machines. */
export interface RegisteredMaintenance {
  readonly windows: readonly MaintenanceWindow[];
  /** Those of the schedule whose maintenance has begun. */
  readonly down: readonly MachineID[];
}

/** Kept so that `failover_timeout` is honoured even if the master fails over in between. */
export interface RegisteredFramework {
  readonly id: string;
  readonly name: string;
  readonly failoverTimeoutSeconds: number;
}

/** Where the registry is kept. */
export interface RegistryStore {
  load(): Promise<Registry | undefined>;
  /** Resolves when the registry is durable. */
  save(registry: Registry): Promise<void>;
}

/** The registry was not written by this program, or it is damaged. */
export class BadRegistryError extends Error {
  readonly code = 'MESOS_ERR_BAD_REGISTRY';
  constructor() {
    super(
      'The registry is damaged or not one of this program; restore it or start with an empty one.',
    );
    this.name = 'BadRegistryError';
  }
}

/** Which agents that are not admitted are remembered (Mesos' flags of these names). */
export interface AbsenceLimits {
  readonly registryMaxAgentAgeMs: number;
  readonly registryMaxAgentCount: number;
}

/** The registry with entries added or replaced, and without those that are of no more use. Pure. */
export function withAgents(
  registry: Registry,
  entries: readonly RegisteredAgent[],
  nowMs: number,
  limits: AbsenceLimits,
): Registry {
  const changes = new Map(entries.map((entry) => [entry.id, entry]));
  const agents: RegisteredAgent[] = [];
  let hasAbsent = false;
  for (const agent of registry.agents) {
    const entry = changes.get(agent.id);
    // What operators decided of an agent outlives its comings and goings.
    if (entry !== undefined) changes.set(entry.id, { ...agent, ...entry });
    else agents.push(agent);
  }
  agents.push(...changes.values());
  for (const { state } of agents) hasAbsent ||= state !== 'admitted';
  return { ...registry, agents: hasAbsent ? withoutForgotten(agents, nowMs, limits) : agents };
}

function withoutForgotten(
  agents: readonly RegisteredAgent[],
  nowMs: number,
  limits: AbsenceLimits,
): readonly RegisteredAgent[] {
  const absent = agents.filter(({ state }) => state !== 'admitted');
  const forgotten = new Set(
    absent.filter(
      ({ sinceMs }, index) =>
        nowMs - sinceMs > limits.registryMaxAgentAgeMs ||
        index < absent.length - limits.registryMaxAgentCount,
    ),
  );
  return agents.filter((agent) => !forgotten.has(agent));
}

/** The registry without an agent, which may come back under its id as if it had never been known. Pure. */
export function withoutAgent(registry: Registry, agentId: string): Registry {
  return { ...registry, agents: registry.agents.filter(({ id }) => id !== agentId) };
}

type AgentIndex = ReadonlyMap<string, RegisteredAgent>;

/** While thousands of agents come back after a failover, the registry stays the same. */
const indexes = new WeakMap<readonly RegisteredAgent[], AgentIndex>();

/** What the registry has of an agent. */
export function registeredAgent({ agents }: Registry, id: string): RegisteredAgent | undefined {
  const index = indexes.get(agents) ?? new Map(agents.map((agent) => [agent.id, agent]));
  indexes.set(agents, index);
  return index.get(id);
}

/** The registry of a new cluster. */
export function newRegistry(masterId: string): Registry {
  return {
    masterId,
    starts: 0,
    nextAgentNumber: 0,
    nextFrameworkNumber: 0,
    agents: [],
    frameworks: [],
    removedFrameworkIds: [],
  };
}

/** What was stored, as a registry. @throws BadRegistryError */
export function decodeRegistry(value: unknown): Registry {
  if (isRegistry(value)) return value;
  throw new BadRegistryError();
}

function isRegistry(value: unknown): value is Registry {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'masterId' in value &&
    typeof value.masterId === 'string' &&
    'starts' in value &&
    typeof value.starts === 'number' &&
    'nextAgentNumber' in value &&
    typeof value.nextAgentNumber === 'number' &&
    'nextFrameworkNumber' in value &&
    typeof value.nextFrameworkNumber === 'number' &&
    'agents' in value &&
    Array.isArray(value.agents) &&
    'frameworks' in value &&
    Array.isArray(value.frameworks) &&
    'removedFrameworkIds' in value &&
    Array.isArray(value.removedFrameworkIds)
  );
}

import type { Attribute, DomainInfo, Quantities, Resources } from '../protocol/index.ts';
import type { Capabilities } from './eligibility.ts';

/** What offer constraints look at. A new object whenever anything of it changes. */
export interface AgentIdentity {
  readonly hostname: string;
  readonly attributes: readonly Attribute[];
  readonly domain: DomainInfo | undefined;
}

/** An agent as the allocator is told of it. */
export interface AgentFacts {
  readonly identity: AgentIdentity;
  readonly total: Resources;
  /** It is in another region than the master: only for frameworks that know of regions. */
  readonly isRemote: boolean;
}

/** A framework as the allocator is told of it. */
export interface FrameworkFacts {
  readonly roles: readonly string[];
  /** Roles under which it wants no offers at the moment. */
  readonly suppressedRoles: ReadonlySet<string>;
  /** Its scheduler is connected. */
  readonly isActive: boolean;
  readonly capabilities: Capabilities;
  /** Its own minimum, in place of the role's or the global one; empty: anything will do. */
  readonly minAllocatable?: readonly Quantities[] | undefined;
  /** By role: which agents it must not be offered. */
  readonly exclusions?: ReadonlyMap<string, (agent: AgentIdentity) => boolean> | undefined;
  /** For the isolation of groups of frameworks from each other. */
  readonly group?: string | undefined;
}

/** Resources of one agent for one framework's role, marked as allocated to it. */
export interface Allocation {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  readonly resources: Resources;
}

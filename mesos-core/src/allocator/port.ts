import type { Quantities, Resources, Unavailability } from '../protocol/index.ts';

/** What a role and its descendants are promised, and what they never exceed. */
export interface Quota {
  /** Kept free for the role until it has them. A scalar that is not named: nothing. */
  readonly guarantees: Quantities;
  /** A scalar that is not named has no limit. */
  readonly limits: Quantities;
}

/** What a framework said of an agent's planned maintenance. */
export interface InverseOfferStatus {
  readonly status: 'UNKNOWN' | 'ACCEPT' | 'DECLINE';
  /** Wall-clock time of the answer. */
  readonly atMs: number;
}

/** A request to a framework to leave an agent before its maintenance. */
export interface InverseAllocation {
  readonly frameworkId: string;
  readonly agentId: string;
  readonly unavailability: Unavailability;
}

/**
 * What other parts of the master tell the allocator (`core.allocator`). Calls take effect at once and
 * ask for the allocation round that they need; nothing here waits or throws. Unknown agents are no
 * error: what is said of them is kept for when they come.
 */
export interface AllocatorPort {
  /** Replaces the quota of a role; `undefined` removes it. */
  setQuota(role: string, quota: Quota | undefined): void;
  /**
   * What of its quota a role and its descendants have: all that is reserved for them, and what they
   * are offered or use unreserved.
   */
  consumptionOf(role: string): Quantities;
  /** What guarantees need, and is not free: somebody else is offered it, uses it, or it is not there. */
  lackingHeadroom(): Quantities;
  /** Shares of the role count as divided by it; 1 is the default. */
  setWeight(role: string, weight: number): void;
  /** A deactivated or draining agent is not offered. Offers that are out are the caller's to rescind. */
  setAgentActive(agentId: string, isActive: boolean): void;
  /** The agent's resources were changed: reservations, volumes, or more or less of them. */
  updateAgent(agentId: string, total: Resources): void;
  /** Planned maintenance: frameworks on the agent get inverse offers; `undefined` calls it off. */
  setUnavailability(agentId: string, unavailability: Unavailability | undefined): void;
  /**
   * The answer to an inverse offer, or that it was rescinded (`undefined`). The framework is not
   * asked again before `refusedUntilMs` (monotonic).
   */
  answerInverseOffer(
    agentId: string,
    frameworkId: string,
    status: InverseOfferStatus | undefined,
    refusedUntilMs: number,
  ): void;
  /** The latest answers of frameworks about an agent's maintenance, by framework id. */
  inverseOfferStatuses(agentId: string): ReadonlyMap<string, InverseOfferStatus>;
}

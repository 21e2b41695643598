import type { OfferFilter } from '../allocator/allocate.ts';
import { containsResources } from '../protocol/index.ts';

/** A refusal of offers, in monotonic time. */
export type ActiveFilter = OfferFilter & { readonly expiresAtMs: number };

/** Refusals of one agent's resources that are kept; a framework that makes more has its oldest forgotten. */
const FILTERS_PER_AGENT_MAX = 100;

/** What a framework has refused, and until when. */
export class OfferFilters {
  readonly #byAgent = new Map<string, readonly ActiveFilter[]>();

  /** Adds a refusal; others that it makes superfluous go. */
  add(filter: ActiveFilter): void {
    const others = (this.#byAgent.get(filter.agentId) ?? []).filter(
      (other) => !isCovered(other, filter),
    );
    this.#byAgent.set(filter.agentId, [...others, filter].slice(-FILTERS_PER_AGENT_MAX));
  }

  /** Those that are kept for the agent. */
  of(agentId: string): readonly ActiveFilter[] {
    return this.#byAgent.get(agentId) ?? [];
  }

  /** Forgets those whose time is over. @returns ids of the agents they were for. */
  expire(nowMs: number): readonly string[] {
    const affected: string[] = [];
    for (const [agentId, filters] of this.#byAgent) {
      const left = filters.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      if (left.length === filters.length) continue;
      this.#keep(agentId, left);
      affected.push(agentId);
    }
    return affected;
  }

  /** The framework wants offers of these roles again. */
  clearRoles(roles: readonly string[]): void {
    for (const [agentId, filters] of this.#byAgent) {
      this.#keep(
        agentId,
        filters.filter(({ role }) => !roles.includes(role)),
      );
    }
  }

  clear(): void {
    this.#byAgent.clear();
  }

  forgetAgent(agentId: string): void {
    this.#byAgent.delete(agentId);
  }

  #keep(agentId: string, filters: readonly ActiveFilter[]): void {
    if (filters.length === 0) this.#byAgent.delete(agentId);
    else this.#byAgent.set(agentId, filters);
  }
}

function isCovered(old: ActiveFilter, by: ActiveFilter): boolean {
  return (
    old.role === by.role &&
    old.expiresAtMs <= by.expiresAtMs &&
    containsResources(by.resources, old.resources)
  );
}

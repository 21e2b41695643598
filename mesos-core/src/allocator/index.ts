import type { Resources, Unavailability } from '../protocol/index.ts';
import type { AllocatorPort, InverseOfferStatus, Quota } from './port.ts';

export type { AllocatorPort, InverseAllocation, InverseOfferStatus, Quota } from './port.ts';

/** Keeps what it is told. */
export class Allocator implements AllocatorPort {
  readonly #quotas = new Map<string, Quota>();
  readonly #weights = new Map<string, number>();
  readonly #inactive = new Set<string>();
  readonly #totals = new Map<string, Resources>();
  readonly #unavailabilities = new Map<string, Unavailability>();
  readonly #statuses = new Map<string, Map<string, InverseOfferStatus>>();

  setQuota(role: string, quota: Quota | undefined): void {
    if (quota === undefined) this.#quotas.delete(role);
    else this.#quotas.set(role, quota);
  }

  setWeight(role: string, weight: number): void {
    this.#weights.set(role, weight);
  }

  setAgentActive(agentId: string, isActive: boolean): void {
    if (isActive) this.#inactive.delete(agentId);
    else this.#inactive.add(agentId);
  }

  updateAgent(agentId: string, total: Resources): void {
    this.#totals.set(agentId, total);
  }

  setUnavailability(agentId: string, unavailability: Unavailability | undefined): void {
    if (unavailability === undefined) this.#unavailabilities.delete(agentId);
    else this.#unavailabilities.set(agentId, unavailability);
    this.#statuses.delete(agentId);
  }

  answerInverseOffer(
    agentId: string,
    frameworkId: string,
    status: InverseOfferStatus | undefined,
    _refusedUntilMs: number,
  ): void {
    if (status === undefined) return;
    const statuses = this.#statuses.get(agentId) ?? new Map<string, InverseOfferStatus>();
    this.#statuses.set(agentId, statuses.set(frameworkId, status));
  }

  inverseOfferStatuses(agentId: string): ReadonlyMap<string, InverseOfferStatus> {
    return this.#statuses.get(agentId) ?? new Map();
  }
}

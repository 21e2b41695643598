import type { Unavailability } from '../protocol/index.ts';
import type { InverseAllocation, InverseOfferStatus } from './port.ts';

interface Planned {
  readonly unavailability: Unavailability;
  /** Frameworks that have an inverse offer and have not answered it. */
  readonly outstanding: Set<string>;
  readonly statuses: Map<string, InverseOfferStatus>;
  readonly refusedUntilMs: Map<string, number>;
}

/** Agents whose maintenance is planned, and what frameworks said to that. */
export class MaintenanceBook {
  readonly #planned = new Map<string, Planned>();

  /** Plans maintenance anew: all frameworks are asked again. */
  set(agentId: string, unavailability: Unavailability | undefined): void {
    if (unavailability === undefined) {
      this.#planned.delete(agentId);
      return;
    }
    this.#planned.set(agentId, {
      unavailability,
      outstanding: new Set(),
      statuses: new Map(),
      refusedUntilMs: new Map(),
    });
  }

  unavailabilityOf(agentId: string): Unavailability | undefined {
    return this.#planned.get(agentId)?.unavailability;
  }

  answer(
    agentId: string,
    frameworkId: string,
    status: InverseOfferStatus | undefined,
    refusedUntilMs: number,
  ): void {
    const planned = this.#planned.get(agentId);
    if (planned === undefined) return;
    planned.outstanding.delete(frameworkId);
    if (status !== undefined) planned.statuses.set(frameworkId, status);
    planned.refusedUntilMs.set(frameworkId, refusedUntilMs);
  }

  statuses(agentId: string): ReadonlyMap<string, InverseOfferStatus> {
    return this.#planned.get(agentId)?.statuses ?? new Map();
  }

  /** The framework wants offers of all kinds again, whatever it has refused. */
  forgetRefusals(frameworkId: string): void {
    for (const { refusedUntilMs } of this.#planned.values()) refusedUntilMs.delete(frameworkId);
  }

  /** The framework is away: what it has been asked is void. */
  forgetFramework(frameworkId: string): void {
    for (const { outstanding, refusedUntilMs } of this.#planned.values()) {
      outstanding.delete(frameworkId);
      refusedUntilMs.delete(frameworkId);
    }
  }

  /**
   * The frameworks that have to be asked now; they count as asked from then on.
   * @param holders connected frameworks that have or are offered something of the agent.
   */
  due(holders: (agentId: string) => Iterable<string>, nowMs: number): readonly InverseAllocation[] {
    const due: InverseAllocation[] = [];
    for (const [agentId, { unavailability, outstanding, refusedUntilMs }] of this.#planned) {
      for (const frameworkId of holders(agentId)) {
        if (outstanding.has(frameworkId)) continue;
        if ((refusedUntilMs.get(frameworkId) ?? Number.NEGATIVE_INFINITY) > nowMs) continue;
        outstanding.add(frameworkId);
        due.push({ agentId, frameworkId, unavailability });
      }
    }
    return due;
  }
}

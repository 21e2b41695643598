import type { Timer } from '@factory/runtime';
import type { Allocation } from '../allocator/index.ts';
import type { Offer } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { inOfferOrder, offerFor } from './offer-form.ts';
import type { Agent } from './state.ts';

/** Events within this time share one cycle. */
const DEBOUNCE_MS = 2;
/** After so long, or so many offers, everybody else has a turn before the cycle goes on. */
const SLICE_MS = 5;
const OFFERS_PER_SLICE_MAX = 250;

/**
 * Drives the allocator: lets it work shortly after anything changed, in slices, and makes offers of
 * what it allocates. At each interval refusals that have expired count as such a change.
 */
export class AllocationDriver {
  readonly #core: MasterCore;
  #pending: Timer | undefined;
  #interval: Timer | undefined;
  /** Of offers that wait for an answer, where that has a time limit. */
  readonly #offerTimers = new Set<Timer>();

  constructor(core: MasterCore) {
    this.#core = core;
    core.requestAllocation = () => this.#request(DEBOUNCE_MS);
    core.allocator.onWork = () => this.#request(DEBOUNCE_MS);
  }

  start(): void {
    const { allocator, clock, settings } = this.#core;
    const tick = (): void => {
      allocator.tick(clock.monotonicMs());
      this.#askToLeave();
      this.#core.nextExpiryMs = clock.monotonicMs() + settings.allocationIntervalMs;
      this.#interval = clock.after(settings.allocationIntervalMs, tick);
    };
    tick();
  }

  close(): void {
    this.#pending?.cancel();
    this.#interval?.cancel();
    for (const timer of this.#offerTimers) timer.cancel();
    this.#offerTimers.clear();
    this.#core.requestAllocation = () => undefined;
    this.#core.allocator.onWork = () => undefined;
  }

  /** Asks for a slice; those asked for in between are the same one. */
  #request(delayMs: number): void {
    this.#pending ??= this.#core.clock.after(delayMs, () => {
      this.#pending = undefined;
      this.#slice();
    });
  }

  #slice(): void {
    const { allocator, clock } = this.#core;
    const endsAtMs = clock.monotonicMs() + SLICE_MS;
    const isOver = (): boolean => clock.monotonicMs() >= endsAtMs;
    this.#offer(allocator.slice({ isOver, allocationsMax: OFFERS_PER_SLICE_MAX }));
    if (!allocator.isIdle) this.#request(0);
    else this.#askToLeave();
  }

  #askToLeave(): void {
    const { allocator, clock } = this.#core;
    const due = allocator.dueInverseOffers(clock.monotonicMs());
    if (due.length > 0) this.#core.sendInverseOffers(due);
  }

  #offer(allocations: readonly Allocation[]): void {
    const { state } = this.#core;
    const byFramework = Map.groupBy(allocations, ({ frameworkId }) => frameworkId);
    for (const [frameworkId, ofFramework] of byFramework) {
      const framework = state.frameworks.get(frameworkId);
      if (framework === undefined) continue;
      const offers = ofFramework.flatMap((allocation) => {
        const agent = state.agents.get(allocation.agentId);
        return agent === undefined ? [] : [this.#offerOf(allocation, agent)];
      });
      for (const offer of offers) state.addOffer(offer);
      const told = offers.map((offer) => offerFor(framework.info, offer));
      this.#core.send(framework, { type: 'OFFERS', offers: { offers: told } });
      this.#limit(offers);
    }
  }

  /** Takes the offers back when nobody has answered them in time. */
  #limit(offers: readonly Offer[]): void {
    const { clock, settings, state } = this.#core;
    if (settings.offerTimeoutMs === undefined) return;
    const timer = clock.after(settings.offerTimeoutMs, () => {
      this.#offerTimers.delete(timer);
      const ids = offers.map(({ id }) => id.value).filter((id) => state.offers.has(id));
      if (ids.length > 0) this.#core.rescind(ids, true);
    });
    this.#offerTimers.add(timer);
  }

  #offerOf({ frameworkId, role, resources }: Allocation, agent: Agent): Offer {
    const { hostname, port = 5051, attributes = [], domain } = agent.info;
    const executors = [...agent.executors.values()]
      .filter((executor) => executor.frameworkId === frameworkId)
      .map((executor) => executor.info.executor_id);
    const unavailability = this.#core.allocator.unavailabilityOf(agent.id);
    return {
      id: { value: this.#core.newOfferId() },
      framework_id: { value: frameworkId },
      agent_id: { value: agent.id },
      hostname,
      url: { scheme: 'http', address: { hostname, ip: agent.ip, port }, path: '/slave(1)' },
      ...(domain === undefined ? {} : { domain }),
      resources: inOfferOrder(resources),
      attributes,
      ...(executors.length === 0 ? {} : { executor_ids: executors }),
      ...(unavailability === undefined ? {} : { unavailability }),
      allocation_info: { role },
    };
  }
}

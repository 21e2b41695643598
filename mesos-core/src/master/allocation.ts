import type { Timer } from '@factory/runtime';
import type { Allocation } from '../allocator/index.ts';
import type { Offer } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { inOfferOrder, offerFor, urlOf } from './offer-form.ts';
import { type Agent, entryOf } from './state.ts';

/** Events within this time share one cycle. */
const DEBOUNCE_MS = 2;
/**
 * After a cycle of many offers their answers gather for a while before the next one, or each answer
 * alone would cause an event and a call, which cost more than ten offers do: 200 frameworks that
 * refuse 1,000 agents got 5,500 offers a second without a rest, 7,800 with half of this one.
 */
const REST_MS_PER_OFFER = 0.1;
const REST_MS_MAX = 50;
/** Offers of a long cycle are told after this long at the latest. */
const HELD_BACK_MS_MAX = 20;
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
  /** Offers of this cycle that nobody has been told of yet, by framework. */
  readonly #untold = new Map<string, Offer[]>();
  #untoldSinceMs = 0;
  /** Offers of this cycle that were told. */
  #toldCount = 0;
  #restsUntilMs = 0;
  /** When the cycle that is to come, or under way, was asked for. */
  #requestedAtMs: number | undefined;
  #latencyMs = 0;
  /** Work on the cycle so far. */
  #runMs = 0;
  /** Of offers that wait for an answer, where that has a time limit. */
  readonly #offerTimers = new Set<Timer>();

  constructor(core: MasterCore) {
    this.#core = core;
    core.allocator.onWork = () => this.#request(DEBOUNCE_MS);
  }

  start(): void {
    const { allocator, clock, settings } = this.#core;
    const tick = (): void => {
      allocator.tick(clock.monotonicMs());
      if (!allocator.isIdle) this.#request(DEBOUNCE_MS);
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
    this.#core.allocator.onWork = () => undefined;
  }

  /** Asks for a slice; those asked for in between are the same one. */
  #request(wishedMs: number): void {
    const { clock } = this.#core;
    const delayMs = Math.max(wishedMs, this.#restsUntilMs - clock.monotonicMs());
    this.#requestedAtMs ??= clock.monotonicMs();
    this.#pending ??= clock.after(delayMs, () => {
      this.#pending = undefined;
      this.#slice();
    });
  }

  #slice(): void {
    const { allocator, clock } = this.#core;
    // Agents that come back ask for a slice, and so does the next tick.
    if (this.#core.recovery.isOfferingHeld) return;
    const startMs = clock.monotonicMs();
    if (this.#runMs === 0) this.#latencyMs = startMs - (this.#requestedAtMs ?? startMs);
    const endsAtMs = startMs + SLICE_MS;
    const isOver = (): boolean => clock.monotonicMs() >= endsAtMs;
    this.#offer(allocator.slice({ isOver, allocationsMax: OFFERS_PER_SLICE_MAX }));
    this.#runMs += clock.monotonicMs() - startMs;
    if (!allocator.isIdle) {
      if (clock.monotonicMs() - this.#untoldSinceMs > HELD_BACK_MS_MAX) this.#tell(isOver);
      this.#request(0);
      return;
    }
    this.#tell(isOver);
    if (this.#untold.size > 0) {
      this.#request(0);
      return;
    }
    this.#noteRun();
    const restMs = Math.min(REST_MS_MAX, this.#toldCount * REST_MS_PER_OFFER);
    this.#toldCount = 0;
    this.#restsUntilMs = clock.monotonicMs() + restMs;
    this.#askToLeave();
  }

  /** A cycle is over. */
  #noteRun(): void {
    const { metrics } = this.#core;
    metrics.allocationRun.note(this.#runMs);
    metrics.allocationLatency.note(this.#latencyMs);
    [this.#runMs, this.#requestedAtMs] = [0, undefined];
  }

  #askToLeave(): void {
    const { allocator, clock } = this.#core;
    const due = allocator.dueInverseOffers(clock.monotonicMs());
    if (due.length > 0) this.#core.inverseOffers.send(due);
  }

  #offer(allocations: readonly Allocation[]): void {
    const { state, clock } = this.#core;
    if (this.#untold.size === 0) this.#untoldSinceMs = clock.monotonicMs();
    for (const allocation of allocations) {
      const agent = state.agents.get(allocation.agentId);
      if (agent === undefined || !state.frameworks.has(allocation.frameworkId)) continue;
      const offer = this.#offerOf(allocation, agent);
      state.addOffer(offer);
      entryOf(this.#untold, allocation.frameworkId, () => []).push(offer);
    }
  }

  /** Tells frameworks, each of all its offers at once but for those that are void by now. */
  #tell(isOver: () => boolean): void {
    const { state } = this.#core;
    for (const [frameworkId, made] of this.#untold) {
      this.#untold.delete(frameworkId);
      const framework = state.frameworks.get(frameworkId);
      const offers = made.filter(({ id }) => state.offers.has(id.value));
      if (framework === undefined || offers.length === 0) continue;
      const told = offers.map((offer) => offerFor(framework.info, offer));
      this.#core.send(framework, { type: 'OFFERS', offers: { offers: told } });
      this.#limit(offers);
      this.#toldCount += offers.length;
      if (isOver()) return;
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
    const { hostname, attributes = [], domain } = agent.info;
    const executors = [...agent.executors.values()]
      .filter((executor) => executor.frameworkId === frameworkId)
      .map((executor) => executor.info.executor_id);
    const unavailability = this.#core.allocator.unavailabilityOf(agent.id);
    return {
      id: { value: this.#core.newOfferId() },
      framework_id: { value: frameworkId },
      agent_id: { value: agent.id },
      hostname,
      url: urlOf(agent),
      ...(domain === undefined ? {} : { domain }),
      resources: inOfferOrder(resources),
      attributes,
      ...(executors.length === 0 ? {} : { executor_ids: executors }),
      ...(unavailability === undefined ? {} : { unavailability }),
      allocation_info: { role },
    };
  }
}

import type { InverseAllocation } from '../../allocator/index.ts';
import type { InverseOffer, SchedulerCall } from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { urlOf } from '../offer-form.ts';
import { entryOf, type Framework } from '../state.ts';

const REFUSE_SECONDS_DEFAULT = 5;
/** Filters are capped, as those of offers are. */
const REFUSE_SECONDS_MAX = 365 * 24 * 3600;

type AnswerCall = Extract<
  SchedulerCall,
  { type: 'ACCEPT_INVERSE_OFFERS' | 'DECLINE_INVERSE_OFFERS' }
>;

/**
 * Requests to frameworks to leave agents before their maintenance, until they are answered or void.
 * Whom to ask is the allocator's decision; while a framework holds something of the agent it is asked
 * again whenever the filter of its answer has run out, as Mesos does.
 */
export class InverseOffers {
  readonly #core: MasterCore;
  readonly #byFramework = new Map<string, Map<string, InverseOffer>>();

  constructor(core: MasterCore) {
    this.#core = core;
  }

  /** Those that the framework has not answered. */
  ofFramework(frameworkId: string): readonly InverseOffer[] {
    return [...(this.#byFramework.get(frameworkId)?.values() ?? [])];
  }

  /** Asks frameworks, each with one event. */
  send(wanted: readonly InverseAllocation[]): void {
    for (const [frameworkId, own] of Map.groupBy(wanted, (each) => each.frameworkId)) {
      const inverse_offers = own.flatMap((each) => this.#offerOf(each) ?? []);
      if (inverse_offers.length === 0) continue;
      const open = entryOf(this.#byFramework, frameworkId, () => new Map());
      for (const offer of inverse_offers) open.set(offer.id.value, offer);
      const framework = this.#core.state.frameworks.get(frameworkId);
      this.#core.send(framework, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers } });
    }
  }

  /** Tells the allocator what a framework said; answers to what is void by now are ignored. */
  answer(framework: Framework, call: AnswerCall): void {
    const isAccepted = call.type === 'ACCEPT_INVERSE_OFFERS';
    const { inverse_offer_ids = [], filters } = isAccepted
      ? call.accept_inverse_offers
      : call.decline_inverse_offers;
    const { allocator, clock } = this.#core;
    const wished = filters?.refuse_seconds ?? REFUSE_SECONDS_DEFAULT;
    const seconds = wished >= 0 ? Math.min(wished, REFUSE_SECONDS_MAX) : REFUSE_SECONDS_DEFAULT;
    const refusedUntilMs = clock.monotonicMs() + seconds * 1000;
    const status = { status: isAccepted ? 'ACCEPT' : 'DECLINE', atMs: clock.nowMs() } as const;
    for (const { value } of inverse_offer_ids) {
      const agentId = this.#take(framework.id, value)?.agent_id?.value;
      if (agentId === undefined) continue;
      allocator.answerInverseOffer(agentId, framework.id, status, refusedUntilMs);
    }
  }

  /** Takes back what frameworks were asked of an agent: it left, or its maintenance changed. */
  rescindOfAgent(agentId: string): void {
    for (const [frameworkId, open] of this.#byFramework) {
      const framework = this.#core.state.frameworks.get(frameworkId);
      for (const offer of open.values()) {
        if (offer.agent_id?.value !== agentId) continue;
        this.#forget(frameworkId, offer);
        const rescind_inverse_offer = { inverse_offer_id: offer.id };
        this.#core.send(framework, { type: 'RESCIND_INVERSE_OFFER', rescind_inverse_offer });
      }
    }
  }

  /** The scheduler that was asked is away: whoever comes next is asked anew. */
  forgetFramework(frameworkId: string): void {
    for (const offer of this.ofFramework(frameworkId)) this.#forget(frameworkId, offer);
  }

  #forget(frameworkId: string, offer: InverseOffer): void {
    this.#take(frameworkId, offer.id.value);
    const agentId = offer.agent_id?.value ?? '';
    const nowMs = this.#core.clock.monotonicMs();
    this.#core.allocator.answerInverseOffer(agentId, frameworkId, undefined, nowMs);
  }

  #take(frameworkId: string, offerId: string): InverseOffer | undefined {
    const open = this.#byFramework.get(frameworkId);
    const offer = open?.get(offerId);
    open?.delete(offerId);
    if (open?.size === 0) this.#byFramework.delete(frameworkId);
    return offer;
  }

  #offerOf({ frameworkId, agentId, unavailability }: InverseAllocation): InverseOffer | undefined {
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined) return undefined;
    return {
      id: { value: this.#core.newOfferId() },
      framework_id: { value: frameworkId },
      agent_id: { value: agentId },
      url: urlOf(agent),
      unavailability,
    };
  }
}

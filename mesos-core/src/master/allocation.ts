import type { Timer } from '@factory/runtime';
import { type Allocation, allocate, type Candidate } from '../allocator/allocate.ts';
import { type Offer, scalarAmount, scalarQuantities } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { inOfferOrder, offerFor } from './offer-form.ts';
import { type Agent, type Framework, hasCapability, rolesOf } from './state.ts';

/** Events within this time share one round. */
const DEBOUNCE_MS = 2;

/**
 * Runs allocation rounds, shortly after anything changed: over the agents that changed, or over all
 * when a framework's wishes did. At an interval filters that have expired count as such a change.
 */
export class AllocationDriver {
  readonly #core: MasterCore;
  readonly #weights: ReadonlyMap<string, number> = new Map();
  #scope: 'changed' | 'all' = 'changed';
  #pending: Timer | undefined;
  #interval: Timer | undefined;
  /** Of offers that wait for an answer, where that has a time limit. */
  readonly #offerTimers = new Set<Timer>();

  constructor(core: MasterCore) {
    this.#core = core;
    core.requestAllocation = (scope) => this.#request(scope);
  }

  start(): void {
    const { clock, settings } = this.#core;
    const tick = (): void => {
      this.#expireFilters();
      this.#core.nextExpiryMs = clock.monotonicMs() + settings.allocationIntervalMs;
      this.#interval = clock.after(settings.allocationIntervalMs, tick);
    };
    tick();
  }

  #expireFilters(): void {
    const { state, clock } = this.#core;
    const nowMs = clock.monotonicMs();
    const affected = [...state.frameworks.values()].flatMap(({ filters }) => filters.expire(nowMs));
    for (const agentId of affected) state.touch(agentId);
    this.#request('changed');
  }

  close(): void {
    this.#pending?.cancel();
    this.#interval?.cancel();
    for (const timer of this.#offerTimers) timer.cancel();
    this.#offerTimers.clear();
    this.#core.requestAllocation = () => undefined;
  }

  /** Asks for a round; those asked for in between are the same one. */
  #request(scope: 'changed' | 'all'): void {
    if (scope === 'all') this.#scope = scope;
    this.#pending ??= this.#core.clock.after(DEBOUNCE_MS, () => {
      this.#pending = undefined;
      this.#run();
    });
  }

  #run(): void {
    const { state } = this.#core;
    const changed = state.takeChangedAgents();
    const isFull = this.#scope === 'all';
    this.#scope = 'changed';
    const wanting = [...state.frameworks.values()].filter(({ stream }) => stream !== undefined);
    const candidates = wanting.flatMap((framework) => this.#candidatesOf(framework));
    if (candidates.length === 0) return;
    const agents = (isFull ? [...state.agents.values()] : changed).filter(isConnected);
    const free = agents
      .map((agent) => ({
        agentId: agent.id,
        free: state.freeOf(agent),
        hasGpus: scalarAmount(agent.total, 'gpus') > 0,
      }))
      .filter((agent) => agent.free.length > 0);
    if (free.length === 0) return;
    const all = [...state.agents.values()].filter(isConnected);
    const allocations = allocate({
      agents: free,
      candidates,
      filters: free.flatMap(({ agentId }) => wanting.flatMap(({ filters }) => filters.of(agentId))),
      total: scalarQuantities(all.flatMap(({ total }) => total)),
      weights: this.#weights,
    });
    this.#offer(allocations);
  }

  #candidatesOf({ id, info, suppressedRoles }: Framework): readonly Candidate[] {
    return rolesOf(info)
      .filter((role) => !suppressedRoles.has(role))
      .map((role) => ({
        frameworkId: id,
        role,
        allocated: this.#core.state.usageOf(id, role),
        minAllocatable: info.offer_filters?.min_allocatable_resources?.quantities?.map(
          ({ quantities }) => quantitiesOf(quantities),
        ),
        isGpuAware: hasCapability(info, 'GPU_RESOURCES'),
      }));
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
      allocation_info: { role },
    };
  }
}

function isConnected({ stream }: Agent): boolean {
  return stream !== undefined;
}

function quantitiesOf(map: Readonly<Record<string, { readonly value: number }>> | undefined) {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, { value }]) => [name, value]));
}

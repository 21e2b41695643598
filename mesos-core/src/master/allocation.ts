import type { Timer } from '@factory/runtime';
import { type Allocation, allocate, type Candidate } from '../allocator/allocate.ts';
import {
  addResources,
  type Offer,
  type Quantities,
  type SchedulerEvent,
  scalarQuantities,
} from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type Framework, rolesOf } from './state.ts';

/** Events within this time share one round. */
const DEBOUNCE_MS = 2;

/** Runs allocation rounds: shortly after anything changed, and at an interval. */
export class AllocationDriver {
  readonly #core: MasterCore;
  readonly weights = new Map<string, number>();
  #pending: Timer | undefined;
  #interval: Timer | undefined;

  constructor(core: MasterCore) {
    this.#core = core;
    core.requestAllocation = () => this.request();
  }

  start(): void {
    const tick = (): void => {
      this.request();
      this.#interval = this.#core.clock.after(this.#core.settings.allocationIntervalMs, tick);
    };
    tick();
  }

  close(): void {
    this.#pending?.cancel();
    this.#interval?.cancel();
    this.#core.requestAllocation = () => undefined;
  }

  /** Asks for a round; those asked for in between are the same one. */
  request(): void {
    if (this.#pending !== undefined) return;
    this.#pending = this.#core.clock.after(DEBOUNCE_MS, () => {
      this.#pending = undefined;
      this.#run();
    });
  }

  #run(): void {
    const { state, clock } = this.#core;
    const nowMs = clock.monotonicMs();
    const wanting = [...state.frameworks.values()].filter(({ stream }) => stream !== undefined);
    const candidates = wanting.flatMap((framework) => this.#candidatesOf(framework));
    if (candidates.length === 0) return;
    for (const framework of wanting) {
      const isExpired = framework.filters.some(({ expiresAtMs }) => expiresAtMs <= nowMs);
      if (!isExpired) continue;
      framework.filters = framework.filters.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    }
    const agents = [...state.agents.values()].filter(({ stream }) => stream !== undefined);
    const allocations = allocate({
      agents: agents.map((agent) => ({ agentId: agent.id, free: state.freeOf(agent) })),
      candidates,
      filters: wanting.flatMap(({ filters }) => filters),
      total: scalarQuantities(agents.flatMap(({ total }) => total)),
      weights: this.weights,
    });
    this.#offer(allocations);
  }

  #candidatesOf(framework: Framework): readonly Candidate[] {
    const minimums = framework.info.offer_filters?.min_allocatable_resources?.quantities ?? [];
    const minAllocatable = minimums.map(({ quantities }) => quantitiesOf(quantities));
    return rolesOf(framework.info)
      .filter((role) => !framework.suppressedRoles.has(role))
      .map((role) => ({
        frameworkId: framework.id,
        role,
        allocated: this.#allocatedTo(framework, role),
        minAllocatable,
      }));
  }

  #allocatedTo(framework: Framework, role: string): Quantities {
    const { state } = this.#core;
    const used = state.tasksOf(framework.id).flatMap((task) => task.resources ?? []);
    const offered = state.offersOfFramework(framework.id).flatMap((offer) => offer.resources ?? []);
    const ofRole = [...used, ...offered].filter(
      (resource) => resource.allocation_info?.role === role,
    );
    return scalarQuantities(ofRole);
  }

  #offer(allocations: readonly Allocation[]): void {
    const { state } = this.#core;
    const byFramework = Map.groupBy(allocations, ({ frameworkId }) => frameworkId);
    for (const [frameworkId, ofFramework] of byFramework) {
      const offers = ofFramework.map((allocation) => this.#offerOf(allocation));
      for (const offer of offers) state.addOffer(offer);
      const event: SchedulerEvent = { type: 'OFFERS', offers: { offers } };
      this.#core.send(state.frameworks.get(frameworkId), event);
    }
  }

  #offerOf({ frameworkId, role, agentId, resources }: Allocation): Offer {
    const agent = this.#core.state.agents.get(agentId);
    const info = agent?.info ?? { hostname: agentId };
    const executors = [...(agent?.executors.values() ?? [])]
      .filter((executor) => executor.frameworkId === frameworkId)
      .map((executor) => executor.info.executor_id);
    const { hostname, port = 5051 } = info;
    return {
      id: { value: this.#core.newOfferId() },
      framework_id: { value: frameworkId },
      agent_id: { value: agentId },
      hostname,
      url: { scheme: 'http', address: { hostname, port }, path: '/slave(1)' },
      resources: addResources(resources, []),
      attributes: info.attributes ?? [],
      executor_ids: executors,
      allocation_info: { role },
      ...(info.domain === undefined ? {} : { domain: info.domain }),
    };
  }
}

function quantitiesOf(map: Readonly<Record<string, { readonly value: number }>> | undefined) {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, { value }]) => [name, value]));
}

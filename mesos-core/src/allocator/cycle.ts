import { addResources, allocateResources, type Resources } from '../protocol/index.ts';
import type { AgentBook } from './agent-book.ts';
import type { Books } from './books.ts';
import { canUseAgent, canUseItem, hasMinimum } from './eligibility.ts';
import type { Allocation } from './facts.ts';
import { type Grant, grantOf } from './grant.ts';
import { QuotaView } from './quota-view.ts';
import { isRefused } from './refusals.ts';
import { type Client, RoleNode, type TreeNode } from './role-tree.ts';
import type { Supply } from './supply.ts';
import { isAnyPositive } from './units.ts';

export interface CycleOptions {
  readonly filterGpuResources: boolean;
  readonly isolateGroups: boolean;
}

type Stage = 'guarantees' | 'fair-share';

/**
 * One pass over the agents that have something to offer, as Mesos' hierarchical allocator makes it:
 * first to roles whose guarantees are not met, then to all by their shares. It stands still between
 * any two agents, so that a long one can be cut into slices; what happens meanwhile is in the books.
 */
export class Cycle {
  readonly #books: Books;
  readonly #quota: QuotaView;
  readonly #options: CycleOptions;
  readonly #number: number;
  /** Looked at for all clients. */
  readonly #changed: ReadonlySet<AgentBook>;
  readonly #queue: readonly AgentBook[];
  readonly #given = new Map<AgentBook, Map<Client, Resources>>();
  #stage: Stage;
  #position = 0;

  /**
   * @param changed agents that are looked at for all clients.
   * @param others agents that are looked at only for the clients that are marked fresh.
   */
  constructor(
    books: Books,
    options: CycleOptions,
    number: number,
    changed: ReadonlySet<AgentBook>,
    others: Iterable<AgentBook>,
  ) {
    this.#books = books;
    this.#quota = new QuotaView(books);
    this.#options = options;
    this.#number = number;
    this.#changed = changed;
    this.#queue = [...new Set([...changed, ...others])].sort((a, b) => a.index - b.index);
    this.#stage = isAnyPositive(books.tree.root.required) ? 'guarantees' : 'fair-share';
  }

  get isDone(): boolean {
    return this.#stage === 'fair-share' && this.#position >= this.#queue.length;
  }

  /** Deals with one agent in one stage. @returns what is given away for good. */
  advance(): readonly Allocation[] {
    const isStageOver =
      this.#position >= this.#queue.length || !isAnyPositive(this.#books.tree.root.required);
    if (this.#stage === 'guarantees' && isStageOver) {
      this.#stage = 'fair-share';
      this.#position = 0;
    }
    const agent = this.#queue[this.#position];
    this.#position += 1;
    if (agent === undefined) return [];
    if (agent.isOfferable) this.#deal(agent);
    return this.#stage === 'guarantees' ? [] : this.#deliver(agent);
  }

  /** Offers the agent's supply to one after the other until nothing is left of it. */
  #deal(agent: AgentBook): void {
    const { tree } = this.#books;
    if (tree.root.wanting === 0) {
      // After a failover agents come back before frameworks do: what they have is not looked at.
      agent.isHeldBack = this.#quota.isInForce;
      return;
    }
    let supply = agent.supply();
    if (supply.isExhausted) return;
    const isWorthwhile = this.#worthwhile(agent, supply);
    tree.walk(isWorthwhile, (client) => {
      const grant = this.#grant(agent, supply, client);
      if (grant === undefined) return false;
      this.#give(agent, client, grant);
      supply = agent.supply();
      return supply.isExhausted;
    });
    agent.isHeldBack = this.#quota.isInForce && !supply.isExhausted;
  }

  /** Keeps the walk from going where nothing can be given, without a look at each framework. */
  #worthwhile(agent: AgentBook, supply: Supply): (node: TreeNode) => boolean {
    const { root } = this.#books.tree;
    const isForAll = this.#changed.has(agent);
    const isGuarantees = this.#stage === 'guarantees';
    // Reserved and revocable resources are given whatever quota says.
    const isPruned = this.#quota.isInForce && supply.isForAll;
    const isForWaiting = isGuarantees || (isPruned && !this.#quota.hasSurplus(supply));
    return (node) => {
      if (!isForAll && node.freshInCycle !== this.#number) return false;
      if (isForWaiting && node.above === root && !node.isWaitingForGuarantee) return false;
      return !(isPruned && node instanceof RoleNode && this.#quota.isCapped(node));
    };
  }

  #grant(agent: AgentBook, supply: Supply, client: Client): Grant | undefined {
    const { role, terms } = client;
    const { capabilities, minimums } = terms;
    if (!canUseAgent(capabilities, agent, this.#options.filterGpuResources)) return undefined;
    if (this.#stage === 'guarantees' && !this.#quota.isProgress(role, supply)) return undefined;
    const isLimited = this.#quota.isInForce;
    if (isLimited && !this.#quota.canReach(role, minimums, supply)) return undefined;
    if (this.#isKeptFrom(agent, client)) return undefined;
    const grant = grantOf(
      supply,
      (item) => canUseItem(capabilities, role.path, item),
      isLimited ? (index) => this.#quota.allowance(role, index) : undefined,
    );
    if (!hasMinimum(grant.units, minimums)) return undefined;
    if (grant.items.every(({ isShared }) => isShared)) return undefined;
    const refusals = agent.refusals.get(client);
    const isUnwanted = refusals?.some((refusal) => isRefused(refusal, grant.items)) === true;
    return isUnwanted ? undefined : grant;
  }

  #isKeptFrom(agent: AgentBook, { terms }: Client): boolean {
    if (terms.isExcluded?.(agent.identity) === true) return true;
    if (!this.#options.isolateGroups) return false;
    for (const other of agent.holdings.keys()) if (other.terms.group !== terms.group) return true;
    return false;
  }

  #give(agent: AgentBook, client: Client, grant: Grant): void {
    const resources = grant.items.map(({ resource }) => resource);
    this.#books.change(agent, client, resources, 1);
    this.#books.tree.noteTurn(client);
    const ofAgent = this.#given.get(agent) ?? new Map<Client, Resources>();
    const before = ofAgent.get(client);
    ofAgent.set(client, before === undefined ? resources : addResources(before, resources));
    this.#given.set(agent, ofAgent);
  }

  /** Hands out what the agent gave in both stages; what nobody wants any more goes back. */
  #deliver(agent: AgentBook): readonly Allocation[] {
    const given = this.#given.get(agent);
    if (given === undefined) return [];
    this.#given.delete(agent);
    return [...given].flatMap(([client, resources]) => {
      if (this.#books.agents.get(agent.id) !== agent) return [];
      const { frameworkId, role } = client;
      if (client.wanting > 0 && agent.isOfferable) {
        const marked = allocateResources(resources, role.path);
        return { frameworkId, role: role.path, agentId: agent.id, resources: marked };
      }
      this.#books.change(agent, client, resources, -1);
      return [];
    });
  }
}

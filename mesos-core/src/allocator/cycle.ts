import { addResources, allocateResources, type Resources } from '../protocol/index.ts';
import type { AgentBook } from './agent-book.ts';
import type { Books } from './books.ts';
import { canUseAgent, canUseItem, hasMinimum } from './eligibility.ts';
import type { Allocation } from './facts.ts';
import { type Grant, grantOf } from './grant.ts';
import { guaranteeLeft, quotaAllowance } from './quota-headroom.ts';
import { isRefused } from './refusals.ts';
import type { Client, TreeNode } from './role-tree.ts';
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
    if (this.#position >= this.#queue.length) {
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
    let supply = agent.supply();
    if (supply.isExhausted) return;
    const isWorthwhile = this.#worthwhile(agent);
    this.#books.tree.walk(isWorthwhile, (client) => {
      const grant = this.#grant(agent, supply, client);
      if (grant === undefined) return false;
      this.#give(agent, client, grant);
      supply = agent.supply();
      return supply.isExhausted;
    });
    agent.isHeldBack = this.#books.quotas.size > 0 && !supply.isExhausted;
  }

  #worthwhile(agent: AgentBook): (node: TreeNode) => boolean {
    const { root } = this.#books.tree;
    const isForAll = this.#changed.has(agent);
    const isGuarantees = this.#stage === 'guarantees';
    return (node) => {
      if (!isForAll && node.freshInCycle !== this.#number) return false;
      if (!isGuarantees || node.above !== root) return true;
      return node.isWaitingForGuarantee;
    };
  }

  #grant(agent: AgentBook, supply: Supply, client: Client): Grant | undefined {
    const { capabilities, minimums } = client.terms;
    if (!canUseAgent(capabilities, agent, this.#options.filterGpuResources)) return undefined;
    const allowance = this.#allowanceOf(client);
    if (this.#stage === 'guarantees' && !isProgress(client, supply)) return undefined;
    if (allowance !== undefined && !canReach(minimums, supply, allowance)) return undefined;
    if (this.#isKeptFrom(agent, client)) return undefined;
    const grant = grantOf(
      supply,
      (item) => canUseItem(capabilities, client.role.path, item),
      allowance,
    );
    if (!hasMinimum(grant.units, minimums)) return undefined;
    if (grant.items.every(({ isShared }) => isShared)) return undefined;
    const refusals = agent.refusals.get(client);
    const isUnwanted = refusals?.some((refusal) => isRefused(refusal, grant.items)) === true;
    return isUnwanted ? undefined : grant;
  }

  /** How much quota allows of each scalar; `undefined` when it is in nobody's way. */
  #allowanceOf({ role }: Client): ((index: number) => number) | undefined {
    const { tree, available, quotas } = this.#books;
    if (quotas.size === 0) return undefined;
    return (index) => quotaAllowance(role, tree.root, available, index);
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

/** Whether the agent has anything of what the role's guarantees still lack. */
function isProgress({ role }: Client, { open }: Supply): boolean {
  for (let index = 0; index < open.length; index += 1) {
    if ((open[index] ?? 0) > 0 && guaranteeLeft(role, index) > 0) return true;
  }
  return false;
}

/** Whether at least one minimum can be met within the allowance: a quick look before the cut. */
function canReach(
  minimums: readonly (readonly number[])[],
  { units, open }: Supply,
  allowance: (index: number) => number,
): boolean {
  if (minimums.length === 0) return true;
  return minimums.some((minimum) =>
    minimum.every((least, index) => {
      const unreserved = open[index] ?? 0;
      const reserved = (units[index] ?? 0) - unreserved;
      return least <= reserved || Math.min(unreserved, allowance(index)) + reserved >= least;
    }),
  );
}

import type { Random } from '@factory/runtime';
import type { Quantities, Resources } from '../protocol/index.ts';
import { AgentBook } from './agent-book.ts';
import type { AgentFacts } from './facts.ts';
import type { Quota } from './port.ts';
import { changeConsumption, refreshRequired } from './quota-headroom.ts';
import { Client, type RoleNode, RoleTree } from './role-tree.ts';
import type { SorterKind } from './sorter.ts';
import { addUnits, ScalarNames, type Units } from './units.ts';

export interface BooksOptions {
  readonly roleSorter: SorterKind;
  readonly frameworkSorter: SorterKind;
  readonly random: Random;
  /** Scalars that do not count for shares (`--fair_sharing_excluded_resource_names`). */
  readonly fairSharingExcludedNames: readonly string[];
}

/**
 * Who holds what: agents, roles and their clients, kept up to date by difference, so that a cycle
 * adds nothing up. Knows nothing of filters and cycles.
 */
export class Books {
  readonly names = new ScalarNames();
  readonly tree: RoleTree;
  readonly agents = new Map<string, AgentBook>();
  /** Unreserved and free in the whole cluster. */
  readonly available: number[] = [];
  /** Roles that have a quota. */
  readonly quotas = new Map<string, Quota>();
  /** All minimums of an offer that clients ask for, unless there are too many of them. */
  readonly minimums = new Map<string, readonly Units[]>();
  hasManyMinimums = false;
  readonly #clients = new Map<string, Map<string, Client>>();
  #nextIndex = 0;

  constructor(options: BooksOptions) {
    const excluded = new Set(
      options.fairSharingExcludedNames.map((name) => this.names.indexOf(name)),
    );
    this.tree = new RoleTree({ ...options, isExcluded: (index) => excluded.has(index) });
  }

  /** Takes the agent up, or what is new of it. */
  putAgent(agentId: string, facts: AgentFacts): AgentBook {
    const agent = this.agents.get(agentId) ?? new AgentBook(agentId, this.#nextIndex, this.names);
    this.#nextIndex += 1;
    this.agents.set(agentId, agent);
    agent.identity = facts.identity;
    agent.isRemote = facts.isRemote;
    agent.isConnected = true;
    this.setTotal(agent, facts.total);
    return agent;
  }

  setTotal(agent: AgentBook, total: Resources): void {
    this.#countTotal(agent, -1);
    agent.setTotal(total);
    this.#countTotal(agent, 1);
    this.refreshHeadroom(agent);
  }

  /** Forgets the agent and all that anybody held of it. */
  removeAgent(agent: AgentBook): void {
    for (const [client, { units, open }] of agent.holdings) {
      this.#count(client, units, open, -1);
      client.agents -= 1;
      this.#forgetIfIdle(client);
    }
    agent.holdings.clear();
    agent.isConnected = false;
    this.setTotal(agent, []);
    this.agents.delete(agent.id);
  }

  /** The framework's entry under the role; made when there is none. */
  client(frameworkId: string, rolePath: string): Client {
    const known = this.#clients.get(frameworkId)?.get(rolePath);
    if (known !== undefined) return known;
    const role = this.tree.role(rolePath);
    const client = new Client(frameworkId, role);
    role.clients.add(client);
    const ofFramework = this.#clients.get(frameworkId) ?? new Map<string, Client>();
    this.#clients.set(frameworkId, ofFramework.set(rolePath, client));
    return client;
  }

  clientsOf(frameworkId: string): ReadonlyMap<string, Client> {
    return this.#clients.get(frameworkId) ?? NO_CLIENTS;
  }

  /** The framework gave the role up: it stays in the books as long as it holds something. */
  unsubscribe(client: Client): void {
    client.isSubscribed = false;
    this.tree.setWanting(client, false);
    this.#forgetIfIdle(client);
  }

  /** The client holds the resources from now on, or no longer. */
  change(agent: AgentBook, client: Client, resources: Resources, factor: 1 | -1): void {
    const had = agent.holdings.has(client);
    const { units, open } = agent.change(client, resources, factor);
    const has = agent.holdings.has(client);
    client.agents += Number(has) - Number(had);
    this.#count(client, units, open, factor);
    this.refreshHeadroom(agent);
    if (!has) this.#forgetIfIdle(client);
  }

  /** The same minimums are the same object, so that they are quickly compared. */
  minimumsOf(quantities: readonly Quantities[]): readonly Units[] {
    const key = JSON.stringify(quantities);
    const known = this.minimums.get(key);
    if (known !== undefined) return known;
    const made = quantities.map((each) => this.names.unitsOf(each));
    this.hasManyMinimums ||= this.minimums.size >= MINIMUMS_MAX;
    if (this.hasManyMinimums) return made;
    this.minimums.set(key, made);
    for (const role of this.tree.roles.values()) role.changes += 1;
    return made;
  }

  setQuota(path: string, quota: Quota | undefined): void {
    const role = this.tree.role(path);
    role.guarantees = quota === undefined ? [] : this.names.unitsOf(quota.guarantees);
    role.limits = quota === undefined ? [] : this.names.limitsOf(quota.limits);
    if (quota === undefined) this.quotas.delete(path);
    else this.quotas.set(path, quota);
    refreshRequired(role, this.names.count);
    this.tree.prune(role);
  }

  /** To be called when anything of the agent changed that decides what is free of it. */
  refreshHeadroom(agent: AgentBook): void {
    addUnits(this.available, agent.headroom, -1);
    agent.headroom = agent.headroomNow();
    addUnits(this.available, agent.headroom, 1);
  }

  #count(client: Client, units: readonly number[], open: readonly number[], factor: 1 | -1): void {
    this.tree.changeHeld(client, units, factor);
    changeConsumption(client.role, open, factor);
  }

  #countTotal({ totalUnits, reservations }: AgentBook, factor: 1 | -1): void {
    this.tree.changeTotal(totalUnits, factor);
    for (const [path, units] of reservations) {
      const role: RoleNode = this.tree.role(path);
      changeConsumption(role, units, factor);
      this.tree.prune(role);
    }
  }

  #forgetIfIdle(client: Client): void {
    if (client.isSubscribed || client.agents > 0) return;
    const ofFramework = this.#clients.get(client.frameworkId);
    ofFramework?.delete(client.role.path);
    if (ofFramework?.size === 0) this.#clients.delete(client.frameworkId);
    client.role.clients.delete(client);
    this.tree.prune(client.role);
  }
}

/** Different minimums that are remembered. */
const MINIMUMS_MAX = 100;

const NO_CLIENTS: ReadonlyMap<string, Client> = new Map();

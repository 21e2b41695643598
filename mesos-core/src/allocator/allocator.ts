import type { Quantities, Resource, Resources, Unavailability } from '../protocol/index.ts';
import type { AgentBook } from './agent-book.ts';
import { auditBooks } from './audit.ts';
import { Books, type BooksOptions } from './books.ts';
import { Cycle, type CycleOptions } from './cycle.ts';
import type { ClientTerms } from './eligibility.ts';
import { ExpiryQueue } from './expiry-queue.ts';
import type { AgentFacts, Allocation, FrameworkFacts } from './facts.ts';
import { type AllocatorFigures, figuresOf } from './figures.ts';
import { MaintenanceBook } from './maintenance.ts';
import type { AllocatorPort, InverseAllocation, InverseOfferStatus, Quota } from './port.ts';
import { refusalOf, withRefusal } from './refusals.ts';
import type { Client } from './role-tree.ts';

export interface AllocatorOptions extends BooksOptions, CycleOptions {
  /** Less than all of these is not worth an offer (`--min_allocatable_resources`). */
  readonly minAllocatable: readonly Quantities[];
  /** In place of that, for some roles. */
  readonly minAllocatableByRole: ReadonlyMap<string, readonly Quantities[]>;
  /** What one framework refuses is for the next at once, not only at the next tick. */
  readonly offersDeclinedAtOnce: boolean;
}

/** When to stop for a while. */
export interface SliceLimit {
  /** Asked after each agent. */
  readonly isOver: () => boolean;
  readonly allocationsMax: number;
}

interface Refused {
  readonly agent: AgentBook;
  readonly client: Client;
}

/**
 * Decides who is offered what. It is told of every event, and does no I/O: time is a parameter. What
 * an event makes possible is noted, and only that is looked at in the next cycle; without events a
 * cycle costs nothing. Allocations are in its books as soon as they are made.
 */
export class Allocator implements AllocatorPort {
  /** Called when there is something to do, perhaps many times before it is done. */
  onWork: () => void = () => undefined;
  readonly #options: AllocatorOptions;
  readonly #books: Books;
  readonly #maintenance = new MaintenanceBook();
  readonly #frameworks = new Map<string, FrameworkFacts>();
  readonly #inactiveAgents = new Set<string>();
  readonly #expiries = new ExpiryQueue<Refused>();
  /** Agents of which something may have become free, or free for others. */
  #changed = new Set<AgentBook>();
  /** Clients that may be given something that they could not have before. */
  #fresh = new Set<Client>();
  /** Agents of which something was refused: for others from the next tick on. */
  #refused = new Set<AgentBook>();
  #isHeadroomChanged = false;
  #cycle: Cycle | undefined;
  #cycles = 0;

  constructor(options: AllocatorOptions) {
    this.#options = options;
    this.#books = new Books(options);
  }

  /** Whether the next slice would find nothing to do. */
  get isIdle(): boolean {
    return this.#cycle === undefined && this.#changed.size === 0 && this.#fresh.size === 0;
  }

  /** An agent has (re-)registered; what is known of it is replaced. */
  putAgent(agentId: string, facts: AgentFacts): void {
    const agent = this.#books.putAgent(agentId, facts);
    agent.isActive = !this.#inactiveAgents.has(agentId);
    this.#books.refreshHeadroom(agent);
    this.#noteAgent(agent);
  }

  /** Nothing is offered of an agent that is away. */
  setAgentConnected(agentId: string, isConnected: boolean): void {
    const agent = this.#books.agents.get(agentId);
    if (agent === undefined) return;
    agent.isConnected = isConnected;
    this.#books.refreshHeadroom(agent);
    this.#noteAgent(agent);
  }

  /** Forgets the agent, and all that anybody held of it. */
  removeAgent(agentId: string): void {
    const agent = this.#books.agents.get(agentId);
    if (agent === undefined) return;
    this.#books.removeAgent(agent);
    this.#changed.delete(agent);
    this.#refused.delete(agent);
    this.#isHeadroomChanged = true;
  }

  updateAgent(agentId: string, total: Resources): void {
    const agent = this.#books.agents.get(agentId);
    if (agent === undefined) return;
    this.#books.setTotal(agent, total);
    this.#noteAgent(agent);
  }

  setAgentActive(agentId: string, isActive: boolean): void {
    if (isActive) this.#inactiveAgents.delete(agentId);
    else this.#inactiveAgents.add(agentId);
    const agent = this.#books.agents.get(agentId);
    if (agent === undefined || agent.isActive === isActive) return;
    agent.isActive = isActive;
    this.#books.refreshHeadroom(agent);
    this.#noteAgent(agent);
  }

  /** A framework has come, or anything of it has changed. */
  putFramework(frameworkId: string, facts: FrameworkFacts): void {
    this.#frameworks.set(frameworkId, facts);
    const roles = new Set(facts.roles);
    for (const [role, client] of [...this.#books.clientsOf(frameworkId)]) {
      if (!roles.has(role) && client.isSubscribed) this.#unsubscribe(client);
    }
    for (const role of roles) this.#subscribe(this.#books.client(frameworkId, role), facts);
    if (!facts.isActive) this.#maintenance.forgetFramework(frameworkId);
  }

  /** The framework is gone for good. What it held has to be taken back before or after. */
  removeFramework(frameworkId: string): void {
    this.#frameworks.delete(frameworkId);
    this.#maintenance.forgetFramework(frameworkId);
    for (const client of [...this.#books.clientsOf(frameworkId).values()])
      this.#unsubscribe(client);
  }

  /** Tasks and executors take resources; allocations of cycles are counted already. */
  noteTaken(agentId: string, frameworkId: string, resources: Resources): void {
    this.#change(agentId, frameworkId, resources, 1);
  }

  /** Resources are free again: of an offer, a task, or an executor. */
  noteRecovered(agentId: string, frameworkId: string, resources: Resources): void {
    this.#change(agentId, frameworkId, resources, -1);
    const agent = this.#books.agents.get(agentId);
    if (agent !== undefined) this.#noteAgent(agent);
  }

  /** The framework does not want these resources of the agent, or parts of them, for a while. */
  refuse(
    refused: { readonly frameworkId: string; readonly role: string; readonly agentId: string },
    resources: Resources,
    expiresAtMs: number,
  ): void {
    const agent = this.#books.agents.get(refused.agentId);
    const client = this.#books.clientsOf(refused.frameworkId).get(refused.role);
    if (agent === undefined || client === undefined) return;
    const before = agent.refusals.get(client) ?? [];
    agent.refusals.set(client, withRefusal(before, refusalOf(resources, expiresAtMs)));
    client.refusing.add(agent);
    this.#expiries.push(expiresAtMs, { agent, client });
    if (this.#options.offersDeclinedAtOnce) return;
    this.#changed.delete(agent);
    this.#refused.add(agent);
  }

  /** The framework wants offers of these roles again, also of what it has refused. */
  forgetRefusals(frameworkId: string, roles: readonly string[]): void {
    this.#maintenance.forgetRefusals(frameworkId);
    for (const role of roles) {
      const client = this.#books.clientsOf(frameworkId).get(role);
      if (client === undefined) continue;
      this.#forgetRefusalsOf(client);
      this.#noteClient(client);
    }
  }

  setQuota(role: string, quota: Quota | undefined): void {
    this.#books.setQuota(role, quota);
    this.#isHeadroomChanged = true;
    this.#noteHeldBack();
  }

  consumptionOf(role: string): Quantities {
    const { tree, names } = this.#books;
    return names.quantitiesOf(tree.roles.get(role)?.consumed ?? []);
  }

  lackingHeadroom(): Quantities {
    const { tree, names, available } = this.#books;
    const { required } = tree.root;
    return names.quantitiesOf(
      required.map((units, index) => Math.max(0, units - Math.max(0, available[index] ?? 0))),
    );
  }

  setWeight(role: string, weight: number): void {
    this.#books.tree.setWeight(role, weight);
  }

  setUnavailability(agentId: string, unavailability: Unavailability | undefined): void {
    this.#maintenance.set(agentId, unavailability);
    const agent = this.#books.agents.get(agentId);
    if (agent !== undefined) this.#noteAgent(agent);
  }

  answerInverseOffer(
    agentId: string,
    frameworkId: string,
    status: InverseOfferStatus | undefined,
    refusedUntilMs: number,
  ): void {
    this.#maintenance.answer(agentId, frameworkId, status, refusedUntilMs);
  }

  inverseOfferStatuses(agentId: string): ReadonlyMap<string, InverseOfferStatus> {
    return this.#maintenance.statuses(agentId);
  }

  /** When the agent will not be there, for offers to say so. */
  unavailabilityOf(agentId: string): Unavailability | undefined {
    return this.#maintenance.unavailabilityOf(agentId);
  }

  /** What the framework holds under the role, used or offered. */
  usageOf(frameworkId: string, role: string): Quantities {
    const client = this.#books.clientsOf(frameworkId).get(role);
    return this.#books.names.quantitiesOf(client?.held ?? []);
  }

  /**
   * To be called at each `--allocation_interval`: refusals that have expired end, and what quota
   * kept back is looked at again if anything changed.
   */
  tick(nowMs: number): void {
    for (const { agent, client } of this.#expiries.takeUntil(nowMs)) {
      const refusals = agent.refusals.get(client) ?? [];
      const left = refusals.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      if (left.length === refusals.length) continue;
      if (left.length > 0) agent.refusals.set(client, left);
      else agent.refusals.delete(client);
      this.#noteAgent(agent);
    }
    for (const agent of this.#refused) this.#noteAgent(agent);
    this.#refused.clear();
    this.#noteHeldBack();
  }

  /** Frameworks that have to be asked now to leave agents before their maintenance. */
  dueInverseOffers(nowMs: number): readonly InverseAllocation[] {
    return this.#maintenance.due((agentId) => this.#activeHolders(agentId), nowMs);
  }

  /** The running accounts, for operators and metrics. */
  figures(): AllocatorFigures {
    return figuresOf(this.#books);
  }

  /** What is wrong with the books; empty when all is well. For tests and audits. */
  problems(): readonly string[] {
    return auditBooks(this.#books);
  }

  /** Goes on with the cycle, or begins one if there is work, until the limit or its end. */
  slice(limit: SliceLimit): readonly Allocation[] {
    const allocations: Allocation[] = [];
    while (!this.isIdle) {
      this.#cycle ??= this.#begin();
      if (this.#cycle.isDone) this.#cycle = undefined;
      else allocations.push(...this.#cycle.advance());
      if (allocations.length >= limit.allocationsMax || limit.isOver()) break;
    }
    return allocations;
  }

  #begin(): Cycle {
    this.#cycles += 1;
    const [changed, fresh] = [this.#changed, this.#fresh];
    this.#changed = new Set();
    this.#fresh = new Set();
    for (const client of fresh) this.#books.tree.markFresh(client, this.#cycles);
    const others = fresh.size === 0 ? [] : this.#books.agents.values();
    return new Cycle(this.#books, this.#options, this.#cycles, changed, others);
  }

  #change(agentId: string, frameworkId: string, resources: Resources, factor: 1 | -1): void {
    const agent = this.#books.agents.get(agentId);
    if (agent === undefined || resources.length === 0) return;
    this.#isHeadroomChanged = true;
    const role = roleOf(resources[0]);
    if (resources.every((resource) => roleOf(resource) === role)) {
      // All offers, and most tasks with their executors: grouping costs as much as the change.
      this.#books.change(agent, this.#books.client(frameworkId, role), resources, factor);
      return;
    }
    for (const [each, ofRole] of Map.groupBy(resources, roleOf)) {
      this.#books.change(agent, this.#books.client(frameworkId, each), ofRole, factor);
    }
  }

  #subscribe(client: Client, facts: FrameworkFacts): void {
    const role = client.role.path;
    const before = client.terms;
    client.terms = this.#termsOf(role, facts);
    client.isSubscribed = true;
    const wants = facts.isActive && !facts.suppressedRoles.has(role);
    const isNew = wants && client.wanting === 0;
    this.#books.tree.setWanting(client, wants);
    if (isNew || (wants && isMore(before, client.terms))) this.#noteClient(client);
  }

  #termsOf(role: string, facts: FrameworkFacts): ClientTerms {
    const { minAllocatable, minAllocatableByRole } = this.#options;
    const minimums = facts.minAllocatable ?? minAllocatableByRole.get(role) ?? minAllocatable;
    return {
      capabilities: facts.capabilities,
      minimums: this.#books.minimumsOf(minimums),
      isExcluded: facts.exclusions?.get(role),
      group: facts.group,
    };
  }

  #unsubscribe(client: Client): void {
    this.#forgetRefusalsOf(client);
    this.#fresh.delete(client);
    this.#books.unsubscribe(client);
  }

  #forgetRefusalsOf(client: Client): void {
    for (const agent of client.refusing) agent.refusals.delete(client);
    client.refusing.clear();
  }

  /** Frameworks of other groups may want the agent again, too, so it is looked at for all. */
  #noteAgent(agent: AgentBook): void {
    this.#isHeadroomChanged = true;
    if (!agent.isOfferable) return;
    this.#changed.add(agent);
    this.onWork();
  }

  #noteClient(client: Client): void {
    if (client.wanting === 0) return;
    this.#fresh.add(client);
    this.onWork();
  }

  /** Agents of which quota kept something back are looked at again, if anything has changed. */
  #noteHeldBack(): void {
    if (!this.#isHeadroomChanged) return;
    this.#isHeadroomChanged = false;
    for (const agent of this.#books.agents.values()) {
      if (agent.isHeldBack && agent.isOfferable) this.#changed.add(agent);
    }
    if (this.#changed.size > 0) this.onWork();
  }

  #activeHolders(agentId: string): ReadonlySet<string> {
    const clients = [...(this.#books.agents.get(agentId)?.holdings.keys() ?? [])];
    const ids = clients.map(({ frameworkId }) => frameworkId);
    return new Set(ids.filter((id) => this.#frameworks.get(id)?.isActive === true));
  }
}

function roleOf(resource: Resource | undefined): string {
  return resource?.allocation_info?.role ?? '*';
}

/** Whether who asks like this may be given what was not for it before; when in doubt, yes. */
function isMore(before: ClientTerms, now: ClientTerms): boolean {
  return JSON.stringify(before) !== JSON.stringify(now) || before.isExcluded !== now.isExcluded;
}

import type { OfferFilter } from '../allocator/allocate.ts';
import {
  type AgentEvent,
  type AgentInfo,
  addResources,
  type ExecutorInfo,
  type FrameworkInfo,
  type Offer,
  type Resources,
  type SchedulerEvent,
  subtractResources,
  type Task,
  type TaskState,
  unallocateResources,
} from '../protocol/index.ts';
import type { EventStream } from './event-stream.ts';

/** States after which nothing of a task runs any more. */
const TERMINAL: ReadonlySet<TaskState> = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state);
}

/** A framework as the master knows it. */
export interface Framework {
  readonly id: string;
  info: FrameworkInfo;
  /** The scheduler's stream; `undefined` while it is away. */
  stream: EventStream<SchedulerEvent> | undefined;
  /** Known only from agents, since this master leads. */
  recovered: boolean;
  readonly suppressedRoles: Set<string>;
  filters: readonly (OfferFilter & { readonly expiresAtMs: number })[];
  readonly registeredAtMs: number;
  reregisteredAtMs: number;
}

/** An agent as the master knows it. */
export interface Agent {
  readonly id: string;
  info: AgentInfo;
  version: string;
  capabilities: readonly string[];
  total: Resources;
  /** Taken by tasks and executors, without allocation marks. */
  used: Resources;
  stream: EventStream<AgentEvent> | undefined;
  lastHeardMs: number;
  readonly tasks: Map<string, Task>;
  readonly executors: Map<string, ExecutorEntry>;
  readonly registeredAtMs: number;
  reregisteredAtMs: number;
}

export interface ExecutorEntry {
  readonly frameworkId: string;
  readonly info: ExecutorInfo;
}

/** Task ids are the framework's own: the same one may exist in two frameworks. */
export function taskKey(frameworkId: string, taskId: string): string {
  return `${frameworkId} ${taskId}`;
}

export function executorKey(frameworkId: string, executorId: string): string {
  return `${frameworkId} ${executorId}`;
}

/** Completed tasks that operators can still look at. */
const COMPLETED_TASKS_MAX = 1_000;

/** The master's memory, with the accounting that must never be wrong in one place. */
export class MasterState {
  readonly frameworks = new Map<string, Framework>();
  readonly agents = new Map<string, Agent>();
  readonly offers = new Map<string, Offer>();
  readonly completedFrameworks: Framework[] = [];
  readonly completedTasks: Task[] = [];
  /** Tasks of agents that are unreachable. */
  readonly unreachableTasks = new Map<string, Task>();
  readonly #offersByAgent = new Map<string, Set<string>>();
  readonly #offersByFramework = new Map<string, Set<string>>();
  readonly #agentOfTask = new Map<string, string>();

  /** The agent that runs the task, if it is known. */
  agentOfTask(frameworkId: string, taskId: string): Agent | undefined {
    return this.agents.get(this.#agentOfTask.get(taskKey(frameworkId, taskId)) ?? '');
  }

  findTask(frameworkId: string, taskId: string): Task | undefined {
    const agent = this.agentOfTask(frameworkId, taskId);
    return agent?.tasks.get(taskKey(frameworkId, taskId));
  }

  /** All tasks of a framework that agents have. */
  tasksOf(frameworkId: string): readonly Task[] {
    return [...this.agents.values()].flatMap((agent) =>
      [...agent.tasks.values()].filter((task) => task.framework_id.value === frameworkId),
    );
  }

  /** Puts a task in place; its resources are taken unless it has ended. */
  putTask(agent: Agent, task: Task): void {
    const key = taskKey(task.framework_id.value, task.task_id.value);
    const before = agent.tasks.get(key);
    agent.used = subtractResources(agent.used, held(before));
    agent.used = addResources(agent.used, held(task));
    agent.tasks.set(key, task);
    this.#agentOfTask.set(key, agent.id);
  }

  removeTask(agent: Agent, task: Task): void {
    const key = taskKey(task.framework_id.value, task.task_id.value);
    const before = agent.tasks.get(key);
    if (before === undefined) return;
    agent.used = subtractResources(agent.used, held(before));
    agent.tasks.delete(key);
    this.#agentOfTask.delete(key);
    this.completedTasks.push(task);
    if (this.completedTasks.length > COMPLETED_TASKS_MAX) this.completedTasks.shift();
  }

  putExecutor(agent: Agent, frameworkId: string, info: ExecutorInfo): void {
    const key = executorKey(frameworkId, info.executor_id.value);
    if (agent.executors.has(key)) return;
    agent.executors.set(key, { frameworkId, info });
    agent.used = addResources(agent.used, unallocateResources(info.resources ?? []));
  }

  removeExecutor(agent: Agent, frameworkId: string, executorId: string): boolean {
    const key = executorKey(frameworkId, executorId);
    const entry = agent.executors.get(key);
    if (entry === undefined) return false;
    agent.executors.delete(key);
    agent.used = subtractResources(agent.used, unallocateResources(entry.info.resources ?? []));
    return true;
  }

  /** Forgets an agent and all it has; its tasks are the caller's business. */
  removeAgent(agent: Agent): void {
    for (const key of agent.tasks.keys()) this.#agentOfTask.delete(key);
    this.agents.delete(agent.id);
  }

  addOffer(offer: Offer): void {
    this.offers.set(offer.id.value, offer);
    setOf(this.#offersByAgent, offer.agent_id.value).add(offer.id.value);
    setOf(this.#offersByFramework, offer.framework_id.value).add(offer.id.value);
  }

  /** The offer is used up, refused or void; its resources are free again. */
  removeOffer(offerId: string): Offer | undefined {
    const offer = this.offers.get(offerId);
    if (offer === undefined) return undefined;
    this.offers.delete(offerId);
    this.#offersByAgent.get(offer.agent_id.value)?.delete(offerId);
    this.#offersByFramework.get(offer.framework_id.value)?.delete(offerId);
    return offer;
  }

  offersOfAgent(agentId: string): readonly Offer[] {
    return this.#resolve(this.#offersByAgent.get(agentId));
  }

  offersOfFramework(frameworkId: string): readonly Offer[] {
    return this.#resolve(this.#offersByFramework.get(frameworkId));
  }

  /** What nobody uses and nobody is offered. */
  freeOf(agent: Agent): Resources {
    const offered = this.offersOfAgent(agent.id).flatMap((offer) => offer.resources ?? []);
    const rest = subtractResources(agent.total, agent.used);
    return subtractResources(rest, unallocateResources(offered));
  }

  #resolve(ids: ReadonlySet<string> | undefined): readonly Offer[] {
    return [...(ids ?? [])].flatMap((id) => this.offers.get(id) ?? []);
  }
}

/** The resources that a task keeps from others: none once it has ended. */
function held(task: Task | undefined): Resources {
  if (task === undefined || isTerminal(task.state)) return [];
  return unallocateResources(task.resources ?? []);
}

function setOf(map: Map<string, Set<string>>, key: string): Set<string> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<string>();
  map.set(key, made);
  return made;
}

/** Roles under which a framework may be offered resources. */
export function rolesOf(info: FrameworkInfo): readonly string[] {
  return hasCapability(info, 'MULTI_ROLE') ? (info.roles ?? []) : [info.role ?? '*'];
}

export function hasCapability(info: FrameworkInfo, type: string): boolean {
  return (info.capabilities ?? []).some((capability) => capability.type === type);
}

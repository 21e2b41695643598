import type { CompiledOfferConstraints } from '../allocator/index.ts';
import {
  type AgentEvent,
  type AgentInfo,
  addResources,
  type ExecutorInfo,
  type FrameworkInfo,
  type Offer,
  type Quantities,
  type Resource,
  type Resources,
  type SchedulerEvent,
  subtractResources,
  type Task,
  type TaskState,
  unallocateResources,
} from '../protocol/index.ts';
import { AmountSums } from './amount-sums.ts';
import { CompletedTasks } from './completed-tasks.ts';
import type { EventStream } from './event-stream.ts';
import { DEFAULT_HISTORY_SETTINGS, type HistorySettings } from './history-flags.ts';
import type { RegisteredAgent } from './registry.ts';
import { UnreachableTasks } from './unreachable-tasks.ts';

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

/** Whether nothing of a task in this state runs any more. */
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
  offerConstraints: CompiledOfferConstraints | undefined;
  readonly registeredAtMs: number;
  reregisteredAtMs: number;
  /** When it was removed, for those that are completed. */
  unregisteredAtMs: number | undefined;
}

/** An agent as the master knows it. */
export interface Agent {
  readonly id: string;
  info: AgentInfo;
  /** Where it called from. */
  ip: string;
  /** What its own API is spoken to in. */
  scheme: 'http' | 'https';
  version: string;
  capabilities: readonly string[];
  total: Resources;
  /** Taken by tasks and executors, without allocation marks. */
  used: Resources;
  /** It has less than is used: it was changed while tasks ran, which go on. */
  isShrunk: boolean;
  stream: EventStream<AgentEvent> | undefined;
  lastHeardMs: number;
  readonly tasks: Map<string, Task>;
  readonly executors: Map<string, ExecutorEntry>;
  /** KILLs of tasks that have not ended: sent again when the agent subscribes. */
  readonly kills: Map<string, KillOrder>;
  /** The last run of each executor that is known to be over: calls that tell so may be repeated. */
  readonly exitedContainers: Map<string, string>;
  /** Frameworks whose tasks here ended with its connection: what is left of them when it is back must end. */
  readonly disowned: Set<string>;
  readonly registeredAtMs: number;
  reregisteredAtMs: number;
  /** What the registry has of an agent that an operator took out of service. */
  outOfService?: RegisteredAgent | undefined;
}

export type KillOrder = Extract<AgentEvent, { type: 'KILL_TASK' }>;

export interface ExecutorEntry {
  readonly frameworkId: string;
  readonly info: ExecutorInfo;
}

/** Task ids are the framework's own: the same one may exist in two frameworks. */
export function taskKey(frameworkId: string, taskId: string): string {
  return `${frameworkId} ${taskId}`;
}

/** Executor ids are unique within a framework on one agent. */
export function executorKey(frameworkId: string, executorId: string): string {
  return `${frameworkId} ${executorId}`;
}

/** Told of every change of a task that an agent has: `undefined` before it came, after it went. */
export type TaskListener = (before: Task | undefined, after: Task | undefined) => void;

/** Who keeps the account of what frameworks hold: the allocator. */
interface ResourceBooks {
  noteTaken(agentId: string, frameworkId: string, resources: Resources): void;
  noteRecovered(agentId: string, frameworkId: string, resources: Resources): void;
  removeAgent(agentId: string): void;
  removeFramework(frameworkId: string): void;
  usageOf(frameworkId: string, role: string): Quantities;
}

/** The master's memory, with the accounting that must never be wrong in one place. */
export class MasterState {
  readonly frameworks = new Map<string, Framework>();
  readonly agents = new Map<string, Agent>();
  readonly offers = new Map<string, Offer>();
  /** What all agents have, and what is taken of it. */
  readonly totals = new AmountSums();
  readonly used = new AmountSums();
  readonly completedFrameworks: Framework[] = [];
  readonly completedTasks: CompletedTasks;
  /** Tasks of agents that are unreachable. */
  readonly unreachableTasks: UnreachableTasks;
  /** Called when an agent has a task less. */
  onLessOnAgent: (agentId: string) => void = () => undefined;
  readonly #books: ResourceBooks;
  readonly #history: HistorySettings;
  readonly #offersByAgent = new Map<string, Set<string>>();
  readonly #offersByFramework = new Map<string, Set<string>>();
  readonly #taskCounts = new Map<TaskState, number>();
  readonly #onTask: TaskListener;
  readonly #tasksByFramework = new Map<string, Map<string, Task>>();

  constructor(
    books: ResourceBooks,
    onTask: TaskListener = () => undefined,
    history: HistorySettings = DEFAULT_HISTORY_SETTINGS,
  ) {
    this.#books = books;
    this.#onTask = onTask;
    this.#history = history;
    this.completedTasks = new CompletedTasks(history.completedTasksPerFrameworkMax);
    this.unreachableTasks = new UnreachableTasks(history.unreachableTasksPerFrameworkMax);
  }

  /** The agent has so much from now on. */
  setTotal(agent: Agent, total: Resources): void {
    this.totals.replace(agent.total, total);
    agent.total = total;
  }

  /** The agent that runs the task, if it is known. */
  agentOfTask(frameworkId: string, taskId: string): Agent | undefined {
    return this.agents.get(this.findTask(frameworkId, taskId)?.agent_id.value ?? '');
  }

  findTask(frameworkId: string, taskId: string): Task | undefined {
    return this.#tasksByFramework.get(frameworkId)?.get(taskId);
  }

  /** All tasks of a framework that agents have. */
  tasksOf(frameworkId: string): readonly Task[] {
    return [...(this.#tasksByFramework.get(frameworkId)?.values() ?? [])];
  }

  /** How many tasks on agents are in this state. */
  taskCount(state: TaskState): number {
    return this.#taskCounts.get(state) ?? 0;
  }

  /** What tasks, executors and offers give the framework under the role. */
  usageOf(frameworkId: string, role: string): Quantities {
    return this.#books.usageOf(frameworkId, role);
  }

  /** Puts a task in place; its resources are taken unless it has ended. */
  putTask(agent: Agent, task: Task): void {
    this.putTasks(agent, [task]);
  }

  /** Puts tasks in place; the books are changed once for all those of a framework. */
  putTasks(agent: Agent, tasks: readonly Task[]): void {
    for (const [frameworkId, own] of Map.groupBy(tasks, (task) => task.framework_id.value)) {
      const [taken, released]: [Resource[], Resource[]] = [[], []];
      const ofFramework = entryOf(this.#tasksByFramework, frameworkId, () => new Map());
      for (const task of own) {
        const key = taskKey(frameworkId, task.task_id.value);
        const before = agent.tasks.get(key);
        // Most updates of a task change nothing of what it holds.
        if (held(before) !== held(task)) {
          taken.push(...held(task));
          released.push(...held(before));
        }
        agent.tasks.set(key, task);
        ofFramework.set(task.task_id.value, task);
        if (isTerminal(task.state)) agent.kills.delete(key);
        this.#noteTask(before, task);
      }
      this.#release(agent, frameworkId, released);
      this.#take(agent, frameworkId, taken);
    }
  }

  removeTask(agent: Agent, task: Task): void {
    const frameworkId = task.framework_id.value;
    const key = taskKey(frameworkId, task.task_id.value);
    const before = agent.tasks.get(key);
    if (before === undefined) return;
    this.#release(agent, frameworkId, held(before));
    agent.tasks.delete(key);
    agent.kills.delete(key);
    this.#forgetTask(before);
    this.#noteTask(before, task);
    this.#noteTask(task, undefined);
    this.completedTasks.add(task);
    this.onLessOnAgent(agent.id);
  }

  putExecutor(agent: Agent, frameworkId: string, info: ExecutorInfo): void {
    const key = executorKey(frameworkId, info.executor_id.value);
    if (agent.executors.has(key)) return;
    agent.executors.set(key, { frameworkId, info });
    this.#take(agent, frameworkId, info.resources ?? []);
  }

  removeExecutor(agent: Agent, frameworkId: string, executorId: string): boolean {
    const key = executorKey(frameworkId, executorId);
    const entry = agent.executors.get(key);
    if (entry === undefined) return false;
    agent.executors.delete(key);
    this.#release(agent, frameworkId, entry.info.resources ?? []);
    return true;
  }

  /** Forgets an agent and all it has; its tasks and offers are the caller's business. */
  removeAgent(agent: Agent): void {
    for (const task of agent.tasks.values()) {
      this.#noteTask(task, undefined);
      this.#forgetTask(task);
    }
    this.agents.delete(agent.id);
    this.totals.replace(agent.total, []);
    this.used.replace(agent.used, []);
    this.#books.removeAgent(agent.id);
    this.#offersByAgent.delete(agent.id);
  }

  /** Remembers a task whose agent fell silent, until the agent is back. */
  putUnreachableTask(task: Task): void {
    this.unreachableTasks.set(taskKey(task.framework_id.value, task.task_id.value), task);
  }

  /** Forgets a framework; its tasks, executors and offers are the caller's business. */
  removeFramework(framework: Framework): void {
    this.frameworks.delete(framework.id);
    this.#books.removeFramework(framework.id);
    this.#offersByFramework.delete(framework.id);
    this.unreachableTasks.forgetFramework(framework.id);
    this.completedFrameworks.push(framework);
    if (this.completedFrameworks.length <= this.#history.completedFrameworksMax) return;
    const forgotten = this.completedFrameworks.shift();
    if (forgotten !== undefined) this.completedTasks.forgetFramework(forgotten.id);
  }

  /** Remembers an offer; the allocator, which made it, has counted it. */
  addOffer(offer: Offer): void {
    const { id, agent_id, framework_id } = offer;
    this.offers.set(id.value, offer);
    entryOf(this.#offersByAgent, agent_id.value, () => new Set<string>()).add(id.value);
    entryOf(this.#offersByFramework, framework_id.value, () => new Set<string>()).add(id.value);
  }

  /** The offer is used up, refused or void; its resources are free again. */
  removeOffer(offerId: string): Offer | undefined {
    const offer = this.offers.get(offerId);
    if (offer === undefined) return undefined;
    this.offers.delete(offerId);
    this.#offersByAgent.get(offer.agent_id.value)?.delete(offerId);
    this.#offersByFramework.get(offer.framework_id.value)?.delete(offerId);
    const resources = offer.resources ?? [];
    this.#books.noteRecovered(offer.agent_id.value, offer.framework_id.value, resources);
    return offer;
  }

  offersOfAgent(agentId: string): readonly Offer[] {
    return this.#resolve(this.#offersByAgent.get(agentId));
  }

  offersOfFramework(frameworkId: string): readonly Offer[] {
    return this.#resolve(this.#offersByFramework.get(frameworkId));
  }

  #take(agent: Agent, frameworkId: string, resources: Resources): void {
    if (resources.length === 0) return;
    this.#setUsed(agent, addResources(agent.used, unallocateResources(resources)));
    this.#books.noteTaken(agent.id, frameworkId, resources);
  }

  #release(agent: Agent, frameworkId: string, resources: Resources): void {
    if (resources.length === 0) return;
    this.#setUsed(agent, subtractResources(agent.used, unallocateResources(resources)));
    this.#books.noteRecovered(agent.id, frameworkId, resources);
  }

  #setUsed(agent: Agent, used: Resources): void {
    this.used.replace(agent.used, used);
    agent.used = used;
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    this.#count(before, -1);
    this.#count(after, 1);
    this.#onTask(before, after);
  }

  #count(task: Task | undefined, change: 1 | -1): void {
    if (task === undefined) return;
    this.#taskCounts.set(task.state, this.taskCount(task.state) + change);
  }

  #forgetTask({ framework_id, task_id, agent_id }: Task): void {
    const ofFramework = this.#tasksByFramework.get(framework_id.value);
    if (ofFramework?.get(task_id.value)?.agent_id.value !== agent_id.value) return;
    ofFramework.delete(task_id.value);
    if (ofFramework.size === 0) this.#tasksByFramework.delete(framework_id.value);
  }

  #resolve(ids: ReadonlySet<string> | undefined): readonly Offer[] {
    return [...(ids ?? [])].flatMap((id) => this.offers.get(id) ?? []);
  }
}

const NOTHING: Resources = [];

/** The resources that a task keeps from others: none once it has ended. */
function held(task: Task | undefined): Resources {
  return task === undefined || isTerminal(task.state) ? NOTHING : (task.resources ?? NOTHING);
}

/** Roles under which a framework may be offered resources. */
export function rolesOf(info: FrameworkInfo): readonly string[] {
  return hasCapability(info, 'MULTI_ROLE') ? (info.roles ?? []) : [info.role ?? '*'];
}

/** Whether the framework says that it can deal with something. */
export function hasCapability(info: FrameworkInfo, type: string): boolean {
  return (info.capabilities ?? []).some((capability) => capability.type === type);
}

/** The value at `key`, made when there is none. */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

import type { AgentSubscribe } from './agent-protocol.ts';
import { fromJson } from './codec.ts';
import { CodecError } from './codec-error.ts';
import type { AgentID, Resource, Task, TaskStatus } from './messages.ts';

/**
 * SUBSCRIBE as it goes over the wire. What its tasks have in common is told once: their agent's id,
 * their ids within their statuses, and equal resources. Ten tasks take 2.5 KB instead of 6, and reading
 * JSON is the largest part of what a master spends on an agent that comes back.
 */
export interface ToldSubscribe extends Omit<AgentSubscribe, 'tasks'> {
  readonly tasks: readonly ToldTask[];
  readonly resource_lists: readonly (readonly Resource[])[];
}

/** A task within {@link ToldSubscribe}; what is absent is as said there. */
export interface ToldTask extends Omit<Task, 'agent_id' | 'resources' | 'statuses'> {
  readonly agent_id?: Task['agent_id'] | undefined;
  /** Index in `resource_lists`. */
  readonly resources: number;
  readonly statuses: readonly ToldStatus[];
}

interface ToldStatus extends Omit<TaskStatus, 'task_id'> {
  readonly task_id?: TaskStatus['task_id'] | undefined;
}

/** Puts it as it goes over the wire, as JSON. */
export function toldSubscribe(subscribe: AgentSubscribe): ToldSubscribe {
  const lists = new ResourceLists();
  const agentId = subscribe.agent_info.id?.value;
  const tasks = subscribe.tasks.map((task) => toldTask(task, agentId, lists));
  return { ...subscribe, tasks, resource_lists: lists.all };
}

/** Resources that were told, each list once. */
export class ResourceLists {
  readonly #indexes = new Map<string, number>();
  readonly #all: (readonly Resource[])[] = [];

  get all(): readonly (readonly Resource[])[] {
    return this.#all;
  }

  /** Where the list is; it is added if it is nowhere yet. */
  indexOf(resources: readonly Resource[]): number {
    const text = JSON.stringify(resources);
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    this.#indexes.set(text, this.#all.length);
    return this.#all.push(resources) - 1;
  }
}

/** A task of the agent with that id. */
export function toldTask(task: Task, agentId: string | undefined, lists: ResourceLists): ToldTask {
  const { agent_id, resources = [], statuses = [], ...rest } = task;
  return {
    ...rest,
    ...(agent_id.value === agentId ? {} : { agent_id }),
    resources: lists.indexOf(resources),
    statuses: statuses.map((status) => toldStatus(status, task, agentId)),
  };
}

function toldStatus(status: TaskStatus, task: Task, agentId: string | undefined): ToldStatus {
  const { task_id, agent_id, ...rest } = status;
  return {
    ...rest,
    ...(task_id.value === task.task_id.value ? {} : { task_id }),
    ...(agent_id === undefined || agent_id.value === agentId ? {} : { agent_id }),
  };
}

/**
 * Reads a task as {@link toldTask} puts it, from JSON. One that names all of it itself is taken as it is.
 * @param resourceLists what was told of resources, read already: once for all tasks that have them.
 * @throws CodecError
 */
export function readTask(
  told: unknown,
  agent_id: AgentID | undefined,
  resourceLists: readonly (readonly Resource[])[],
): Task {
  if (!isObject(told) || typeof told.resources !== 'number') return fromJson('Task', told);
  const { task_id, statuses } = told;
  const resources = resourceLists[told.resources];
  if (resources === undefined) {
    throw new CodecError(`There are no resources number ${told.resources}`);
  }
  const completed = Array.isArray(statuses)
    ? statuses.map((status) => (isObject(status) ? { task_id, agent_id, ...status } : status))
    : [];
  const task = fromJson('Task', { agent_id, ...told, resources: NOTHING, statuses: completed });
  return { ...task, resources };
}

const NOTHING: readonly Resource[] = [];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

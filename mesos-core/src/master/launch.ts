import {
  addResources,
  allocateResources,
  containsResources,
  type ExecutorInfo,
  formatResources,
  idProblem,
  type Resources,
  type TaskInfo,
} from '../protocol/index.ts';

/** What a launch is checked against. */
export interface LaunchContext {
  readonly agentId: string;
  readonly role: string;
  /** What is left of the offers, with allocation marks. */
  readonly available: Resources;
  readonly isTaskKnown: (taskId: string) => boolean;
  /** The executor of that id which the agent already has for this framework. */
  readonly executor: (executorId: string) => ExecutorInfo | undefined;
}

/**
 * What the task takes from the offers: its own resources and, where the executor is new on the
 * agent, that one's too. Marked as allocated to the role.
 */
export function neededFor(task: TaskInfo, context: LaunchContext): Resources {
  const own = allocateResources(task.resources ?? [], context.role);
  const { executor } = task;
  if (executor === undefined || context.executor(executor.executor_id.value) !== undefined) {
    return addResources(own, []);
  }
  return addResources(own, allocateResources(executor.resources ?? [], context.role));
}

/** Why the task can't be launched, in Mesos' words, or `undefined`. Pure. */
export function launchProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const taskId = task.task_id.value;
  const badId = idProblem(taskId);
  if (badId !== undefined) return `Task uses invalid TaskID '${taskId}': ${badId}`;
  if (context.isTaskKnown(taskId)) return `Task has duplicate ID: ${taskId}`;
  if (task.agent_id.value !== context.agentId) {
    return `Task uses invalid agent ${task.agent_id.value} while agent ${context.agentId} is expected`;
  }
  if ((task.executor === undefined) === (task.command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  if ((task.resources ?? []).length === 0) return 'Task uses no resources';
  return executorProblem(task, context) ?? resourcesProblem(task, context);
}

function executorProblem({ executor }: TaskInfo, context: LaunchContext): string | undefined {
  if (executor === undefined) return undefined;
  const known = context.executor(executor.executor_id.value);
  if (known === undefined || isSameExecutor(known, executor)) return undefined;
  return (
    `ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID ` +
    `'${executor.executor_id.value}'`
  );
}

/** Resources may carry marks or not: they are compared by what they are. */
function isSameExecutor(a: ExecutorInfo, b: ExecutorInfo): boolean {
  const plain = (info: ExecutorInfo): string => {
    const { resources, framework_id: _, ...rest } = info;
    return stableJson({ ...rest, resources: allocateResources(resources ?? [], '') });
  };
  return plain(a) === plain(b);
}

/** JSON with sorted keys. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function resourcesProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const needed = neededFor(task, context);
  if (containsResources(context.available, needed)) return undefined;
  return (
    `Total resources ${formatResources(needed)} required by task and its executor is more ` +
    `than available ${formatResources(context.available)}`
  );
}

import {
  addResources,
  allocateResources,
  canTake,
  type ExecutorInfo,
  equalResources,
  formatResources,
  idProblem,
  persistenceIdsProblem,
  type Resources,
  type TaskInfo,
} from '../protocol/index.ts';

/** What a launch is checked against. */
export interface LaunchContext {
  readonly frameworkId: string;
  readonly agentId: string;
  /** What is left of the offers, with allocation marks. */
  readonly available: Resources;
  readonly isTaskKnown: (taskId: string) => boolean;
  readonly isTaskUnreachable: (taskId: string) => boolean;
  /** The executor of that id which the agent already has for this framework. */
  readonly executor: (executorId: string) => ExecutorInfo | undefined;
}

/**
 * What the task takes from the offers: its own resources and, where the executor is new on the
 * agent, that one's too.
 */
export function neededFor(task: TaskInfo, context: LaunchContext): Resources {
  const own = task.resources ?? [];
  const { executor } = task;
  if (executor === undefined || context.executor(executor.executor_id.value) !== undefined) {
    return addResources([], own);
  }
  return addResources(addResources([], own), executor.resources ?? []);
}

/**
 * Why the task can't be launched, in Mesos' words, or `undefined`. Its resources carry allocation
 * marks. Pure.
 */
export function launchProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  return (
    taskProblem(task, context) ?? executorProblem(task, context) ?? resourcesProblem(task, context)
  );
}

/**
 * Why tasks can't be launched as a group of one executor, or `undefined`. Pure.
 * @param executor takes its resources from the offers too, where it is new on the agent.
 */
export function groupProblem(
  tasks: readonly TaskInfo[],
  executor: ExecutorInfo,
  context: LaunchContext,
): string | undefined {
  if (tasks.length === 0) return 'Task group cannot be empty';
  const seen = new Set<string>();
  for (const task of tasks) {
    const id = task.task_id.value;
    const isTaskKnown = (taskId: string): boolean =>
      seen.has(taskId) || context.isTaskKnown(taskId);
    const problem = taskProblem(task, { ...context, isTaskKnown });
    if (problem !== undefined) return `Task '${id}' is invalid: ${problem}`;
    seen.add(id);
  }
  const problem = executorInfoProblem(executor, context);
  if (problem !== undefined) return problem;
  const needed = neededForGroup(tasks, executor, context);
  if (canTake(context.available, needed)) return undefined;
  return (
    `Total resources ${formatResources(needed)} required by task group and its executor are more ` +
    `than available ${formatResources(context.available)}`
  );
}

/** What a group takes from the offers, its executor included where that is new on the agent. */
export function neededForGroup(
  tasks: readonly TaskInfo[],
  executor: ExecutorInfo,
  context: LaunchContext,
): Resources {
  const isNew = context.executor(executor.executor_id.value) === undefined;
  const all = [...tasks, ...(isNew ? [executor] : [])];
  return addResources(
    [],
    all.flatMap(({ resources }) => resources ?? []),
  );
}

function taskProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const taskId = task.task_id.value;
  const badId = idProblem(taskId);
  if (badId !== undefined) return badId;
  if (context.isTaskKnown(taskId)) return `Task has duplicate ID: ${taskId}`;
  if (context.isTaskUnreachable(taskId)) {
    return `Task reuses the ID of an unreachable task: ${taskId}`;
  }
  if (task.agent_id.value !== context.agentId) {
    return `Task uses invalid agent ${task.agent_id.value} while agent ${context.agentId} is expected`;
  }
  if ((task.resources ?? []).length === 0) return 'Task uses no resources';
  const invalid = invalidScalar(task.resources ?? []);
  if (invalid !== undefined) return `Task uses invalid resources: ${invalid}`;
  const duplicate = persistenceIdsProblem(task.resources ?? []);
  return duplicate && `Task uses duplicate persistence ID: ${duplicate}`;
}

function executorProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const { executor, command } = task;
  if ((executor === undefined) === (command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  if (executor === undefined) return undefined;
  const problem = executorInfoProblem(executor, context);
  if (problem !== undefined) return problem;
  if (executor.type !== undefined && executor.type !== 'CUSTOM') {
    return "'ExecutorInfo.type' must be 'CUSTOM'";
  }
  return executor.command === undefined ? "'ExecutorInfo.command' must be set" : undefined;
}

function executorInfoProblem(executor: ExecutorInfo, context: LaunchContext): string | undefined {
  const { executor_id, framework_id, type, command } = executor;
  if (type === 'DEFAULT' && command !== undefined) {
    return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
  }
  if (type === 'CUSTOM' && command === undefined) {
    return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
  }
  const badId = idProblem(executor_id.value);
  if (badId !== undefined) return badId;
  if (framework_id !== undefined && framework_id.value !== context.frameworkId) {
    const expected = `(Actual: ${framework_id.value} vs Expected: ${context.frameworkId})`;
    return `ExecutorInfo has an invalid FrameworkID ${expected}`;
  }
  const invalid = invalidScalar(executor.resources ?? []);
  if (invalid !== undefined) return `Executor uses invalid resources: ${invalid}`;
  const duplicate = persistenceIdsProblem(executor.resources ?? []);
  if (duplicate !== undefined) return `Executor uses duplicate persistence ID: ${duplicate}`;
  const known = context.executor(executor_id.value);
  if (known === undefined || isSameExecutor(known, executor)) return undefined;
  return (
    `ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID ` +
    `'${executor_id.value}'`
  );
}

/** A negative amount would give others more than there is; one without an amount says nothing. */
function invalidScalar(resources: Resources): string | undefined {
  for (const { name, type, scalar } of resources) {
    if (type !== 'SCALAR') continue;
    if (scalar === undefined) return `Invalid scalar resource: no value in ${name}`;
    if (!(scalar.value >= 0)) return `Invalid scalar resource: value < 0 in ${name}`;
  }
  return undefined;
}

/** Resources may carry marks or not: they are compared by what they are. */
function isSameExecutor(a: ExecutorInfo, b: ExecutorInfo): boolean {
  const plain = ({ resources: _, framework_id: __, ...rest }: ExecutorInfo) => stableJson(rest);
  const marked = ({ resources }: ExecutorInfo) => allocateResources(resources ?? [], '');
  return plain(a) === plain(b) && equalResources(marked(a), marked(b));
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
  if (canTake(context.available, needed)) return undefined;
  return (
    `Total resources ${formatResources(needed)} required by task and its executor is more ` +
    `than available ${formatResources(context.available)}`
  );
}

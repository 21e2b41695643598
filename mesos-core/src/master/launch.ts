import {
  addResources,
  canTake,
  type ExecutorInfo,
  formatResources,
  type Resources,
  type Task,
  type TaskInfo,
} from '../protocol/index.ts';
import { sharesCgroups } from './validation/container.ts';
import {
  executorProblem,
  groupExecutorProblem,
  taskExecutorProblem,
} from './validation/executor.ts';
import { haveOverlap, jointResourcesProblem } from './validation/resources.ts';
import { groupedTaskProblem, taskProblem } from './validation/task.ts';

/** Mesos has no limit; but a group is launched in one go, and all its tasks are with one executor. */
const GROUP_TASKS_MAX = 1000;

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
  /** The tasks of that executor, while they are known. */
  readonly tasksOfExecutor: (executorId: string) => readonly Task[];
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
    taskProblem(task, context) ??
    whoRunsProblem(task, context) ??
    demandProblem(task, context) ??
    (sharesCgroups(task.container) === false
      ? "Only tasks in a task group may have 'share_cgroups' set to 'false'"
      : undefined)
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
  if (tasks.length > GROUP_TASKS_MAX) return `Task group has more than ${GROUP_TASKS_MAX} tasks`;
  const seen = new Set<string>();
  for (const task of tasks) {
    const id = task.task_id.value;
    const isTaskKnown = (taskId: string): boolean =>
      seen.has(taskId) || context.isTaskKnown(taskId);
    const problem = groupedTaskProblem(task, { ...context, isTaskKnown });
    if (problem !== undefined) return `Task '${id}' is invalid: ${problem}`;
    seen.add(id);
  }
  return (
    executorProblem(executor, context) ??
    groupExecutorProblem(executor, tasks) ??
    groupDemandProblem(tasks, executor, context) ??
    cgroupsProblem(tasks, executor, context)
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

function whoRunsProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const { executor, command } = task;
  if ((executor === undefined) === (command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  return executor && (executorProblem(executor, context) ?? taskExecutorProblem(executor));
}

function demandProblem(task: TaskInfo, context: LaunchContext): string | undefined {
  const { resources = [], executor } = task;
  if (executor !== undefined) {
    const parts = [resources, executor.resources ?? []];
    if (haveOverlap(parts)) {
      return (
        `There are overlapping resources in the task resources ${formatResources(resources)} ` +
        `and executor resources ${formatResources(executor.resources ?? [])}`
      );
    }
    const problem = jointResourcesProblem('Task and its executor', parts);
    if (problem !== undefined) return problem;
  }
  const needed = neededFor(task, context);
  if (canTake(context.available, needed)) return undefined;
  return (
    `Total resources ${formatResources(needed)} required by task and its executor is more ` +
    `than available ${formatResources(context.available)}`
  );
}

function groupDemandProblem(
  tasks: readonly TaskInfo[],
  executor: ExecutorInfo,
  context: LaunchContext,
): string | undefined {
  const parts = [...tasks, executor].map(({ resources = [] }) => resources);
  const problem = jointResourcesProblem('Task group and executor', parts);
  if (problem !== undefined) return problem;
  if (haveOverlap(parts)) {
    const ofTasks = parts.slice(0, -1).map(formatResources).join(', ');
    return (
      `There are overlapping resources in the task group's task resources { ${ofTasks} } ` +
      `and/or executor resources ${formatResources(executor.resources ?? [])}`
    );
  }
  const needed = neededForGroup(tasks, executor, context);
  if (canTake(context.available, needed)) return undefined;
  return (
    `Total resources ${formatResources(needed)} required by task group and its executor are more ` +
    `than available ${formatResources(context.available)}`
  );
}

/** An executor has cgroups of its own; its tasks have either its, or all of them their own. */
function cgroupsProblem(
  tasks: readonly TaskInfo[],
  { executor_id, container }: ExecutorInfo,
  context: LaunchContext,
): string | undefined {
  if (sharesCgroups(container) === true) {
    return "The 'share_cgroups' field cannot be set to 'true' on executor containers";
  }
  const isKnown = context.executor(executor_id.value) !== undefined;
  const all = [...tasks, ...(isKnown ? context.tasksOfExecutor(executor_id.value) : [])];
  const first = sharesCgroups(all[0]?.container) ?? true;
  return all.some((task) => (sharesCgroups(task.container) ?? true) !== first)
    ? "If set, the value of 'share_cgroups' must be the same for all tasks in each task group " +
        'and under a single executor'
    : undefined;
}

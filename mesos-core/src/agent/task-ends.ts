import type { Change } from './checkpoint/checkpoint-store.ts';
import { frameworkRemoval, progressChange, taskRemovals } from './checkpoint/records.ts';
import { type AgentContext, agentStatus, type TaskEnd } from './context.ts';
import { type Framework, pushBounded, type TaskRecord } from './state.ts';
import { toTask } from './views.ts';

/**
 * Ends tasks that have not ended, by updates of the agent's own. They and `changes` become durable
 * together; the updates go out when `after` has settled too.
 */
export async function endTasks(
  context: AgentContext,
  tasks: readonly TaskRecord[],
  end: TaskEnd,
  options: {
    readonly changes?: readonly Change[];
    readonly after?: Promise<unknown> | undefined;
  } = {},
): Promise<void> {
  const ended = tasks.filter(
    (task) => context.updates.receive(task, agentStatus(context, task, end)) === 'accepted',
  );
  const committed = context.commit([...(options.changes ?? []), ...ended.map(progressChange)]);
  await Promise.all([committed, options.after]);
  for (const task of ended) context.updates.forward(task);
}

/** Lets go of a task whose end is acknowledged. Gives what to commit. */
export function completeTask(
  context: AgentContext,
  framework: Framework,
  task: TaskRecord,
): readonly Change[] {
  const { executorId, containerId } = task;
  context.updates.forget(task);
  framework.tasks.delete(task.info.task_id.value);
  const completed = { executorId, containerId, task: toTask(context, task) };
  const max = context.settings.completedTasksPerFrameworkMax;
  pushBounded(framework.completedTasks, completed, max);
  return [...taskRemovals(task), ...forgetIfDone(context, framework)];
}

/** Forgets a framework that has nothing here any more. Gives what to commit. */
export function forgetIfDone(context: AgentContext, framework: Framework): readonly Change[] {
  const { state, settings } = context;
  if (framework.executors.size > 0 || framework.tasks.size > 0) return [];
  if (!state.frameworks.delete(framework.id)) return [];
  pushBounded(state.completedFrameworks, framework, settings.completedFrameworksMax);
  return [frameworkRemoval(framework.id)];
}

/** Drops a framework's tasks with their updates: nobody is left to hear of them. */
export function dropTasks(context: AgentContext, framework: Framework): readonly Change[] {
  const tasks = [...framework.tasks.values()];
  for (const task of tasks) context.updates.forget(task);
  framework.tasks.clear();
  return tasks.flatMap(taskRemovals);
}

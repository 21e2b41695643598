import { type ExecutorInfo, idProblem, type TaskInfo } from '../protocol/index.ts';
import type { TaskEnd } from './context.ts';

/** Why this agent can't run the task, `undefined` when it can. */
export function refuseTask(
  frameworkId: string,
  executor: ExecutorInfo | undefined,
  task: TaskInfo,
): TaskEnd | undefined {
  const executorId = executor?.executor_id.value ?? task.task_id.value;
  for (const id of [frameworkId, executorId, task.task_id.value]) {
    const message = idProblem(id);
    if (message !== undefined)
      return { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID', message };
  }
  return undefined;
}

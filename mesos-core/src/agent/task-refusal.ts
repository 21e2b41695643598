import {
  type ContainerInfo,
  type ExecutorInfo,
  idProblem,
  type TaskInfo,
  type TaskStatusReason,
} from '../protocol/index.ts';
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
  if (needsContainer(executor?.container) || needsContainer(task.container)) {
    return cannotLaunch('this agent runs executors without images and volumes');
  }
  return undefined;
}

function cannotLaunch(message: string): TaskEnd {
  const reason: TaskStatusReason = 'REASON_CONTAINER_LAUNCH_FAILED';
  return { state: 'TASK_FAILED', reason, message: `Failed to launch container: ${message}` };
}

function needsContainer(container: ContainerInfo | undefined): boolean {
  if (container === undefined) return false;
  const { type, mesos, volumes = [] } = container;
  return type === 'DOCKER' || mesos?.image !== undefined || volumes.length > 0;
}

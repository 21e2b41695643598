import type { TaskState, TaskStatus, TaskStatusReason } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { hasCapability } from './state.ts';

/** How tasks end with their agent. */
export interface TaskEnd extends Pick<TaskStatus, 'unreachable_time'> {
  readonly state: TaskState;
  readonly reason: TaskStatusReason;
  readonly message: string;
}

/**
 * An agent that was unreachable will never come back, nor will its tasks: those who were told that they
 * are unreachable hear it. Others were told that they are lost.
 */
export function endUnreachableTasks(core: MasterCore, agentId: string, end: TaskEnd): void {
  const { state } = core;
  for (const [key, task] of state.unreachableTasks) {
    if (task.agent_id.value !== agentId) continue;
    state.unreachableTasks.delete(key);
    const framework = state.frameworks.get(task.framework_id.value);
    if (framework === undefined || !hasCapability(framework.info, 'PARTITION_AWARE')) continue;
    const taskId = task.task_id.value;
    const status = core.masterStatus(taskId, agentId, end.state, end.reason, end.message);
    core.tellTaskUpdate(framework.id, status, end.state);
  }
}

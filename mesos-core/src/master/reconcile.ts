import type { AgentID, Task, TaskID, TaskState } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type Framework, taskKey } from './state.ts';

/** A task that a scheduler asks about. */
export interface ReconcileTask {
  readonly task_id: TaskID;
  readonly agent_id?: AgentID | undefined;
}

/**
 * Answers with the latest state of each task; of all of the framework's when none is named. Says
 * nothing about tasks of agents that are still expected back after a failover of the master.
 */
export function reconcile(
  core: MasterCore,
  framework: Framework,
  tasks: readonly ReconcileTask[],
): void {
  if (tasks.length === 0) {
    for (const task of core.state.tasksOf(framework.id)) sendLatest(core, framework, task);
    return;
  }
  for (const { task_id, agent_id } of tasks) {
    const known = core.state.findTask(framework.id, task_id.value);
    if (known !== undefined) {
      sendLatest(core, framework, known);
      continue;
    }
    const answer = stateOfUnknown(core, framework, task_id.value, agent_id?.value);
    if (answer === undefined) continue;
    const status = core.masterStatus(
      task_id.value,
      agent_id?.value,
      core.lostState(framework.info, answer.state),
      'REASON_RECONCILIATION',
      `Reconciliation: ${answer.message}`,
    );
    core.sendStatus(framework, status);
  }
}

function sendLatest(core: MasterCore, framework: Framework, task: Task): void {
  const last = task.statuses?.at(-1);
  const status = core.masterStatus(
    task.task_id.value,
    task.agent_id.value,
    task.status_update_state ?? task.state,
    'REASON_RECONCILIATION',
    'Reconciliation: Latest task state',
  );
  const container = last?.container_status;
  core.sendStatus(framework, {
    ...status,
    ...(container === undefined ? {} : { container_status: container }),
  });
}

function stateOfUnknown(
  core: MasterCore,
  framework: Framework,
  taskId: string,
  agentId: string | undefined,
): { readonly state: TaskState; readonly message: string } | undefined {
  if (core.state.unreachableTasks.has(taskKey(framework.id, taskId))) {
    return { state: 'TASK_UNREACHABLE', message: 'Task is unreachable' };
  }
  if (agentId === undefined) return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  if (core.state.agents.has(agentId)) {
    return { state: 'TASK_GONE', message: 'Task is unknown to the agent' };
  }
  const registered = core.registry.agents.find(({ id }) => id === agentId);
  switch (registered?.state) {
    case 'admitted':
      return undefined;
    case 'unreachable':
      return { state: 'TASK_UNREACHABLE', message: 'Task is on an unreachable agent' };
    case 'gone':
      return { state: 'TASK_GONE_BY_OPERATOR', message: 'Task is on a gone agent' };
    case undefined:
      return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  }
}

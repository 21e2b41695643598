import type { AgentID, Task, TaskID, TaskState } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type Framework, taskKey } from './state.ts';

/** A task that a scheduler asks about. */
export interface ReconcileTask {
  readonly task_id: TaskID;
  readonly agent_id?: AgentID | undefined;
}

/** What the master says of a task that no agent has. */
interface Verdict {
  readonly state: TaskState;
  readonly message: string;
  readonly unreachableSinceMs?: number | undefined;
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
    const verdict = verdictOn(core, framework, task_id.value, agent_id?.value);
    if (verdict === undefined) continue;
    const { unreachableSinceMs } = verdict;
    const status = core.masterStatus(
      task_id.value,
      agent_id?.value,
      core.lostState(framework.info, verdict.state),
      'REASON_RECONCILIATION',
      `Reconciliation: ${verdict.message}`,
    );
    core.sendStatus(framework, {
      ...status,
      ...(unreachableSinceMs === undefined
        ? {}
        : { unreachable_time: { nanoseconds: unreachableSinceMs * 1e6 } }),
    });
  }
}

function sendLatest(core: MasterCore, framework: Framework, task: Task): void {
  const { container_status, healthy, check_status } = task.statuses?.at(-1) ?? {};
  const status = core.masterStatus(
    task.task_id.value,
    task.agent_id.value,
    task.status_update_state ?? task.state,
    'REASON_RECONCILIATION',
    'Reconciliation: Latest task state',
  );
  core.sendStatus(framework, {
    ...status,
    ...(container_status === undefined ? {} : { container_status }),
    ...(healthy === undefined ? {} : { healthy }),
    ...(check_status === undefined ? {} : { check_status }),
  });
}

function verdictOn(
  core: MasterCore,
  framework: Framework,
  taskId: string,
  agentId: string | undefined,
): Verdict | undefined {
  const { state, registry } = core;
  const unreachable = state.unreachableTasks.get(taskKey(framework.id, taskId));
  const whereId = unreachable?.agent_id.value ?? agentId;
  if (whereId === undefined) return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  if (state.agents.has(whereId)) {
    return { state: 'TASK_GONE', message: 'Task is unknown to the agent' };
  }
  const agent = registry.agents.find(({ id }) => id === whereId);
  switch (agent?.state) {
    case 'admitted':
      return undefined;
    case 'unreachable': {
      const message = 'Task is unreachable';
      return { state: 'TASK_UNREACHABLE', message, unreachableSinceMs: agent.sinceMs };
    }
    case 'gone':
      return { state: 'TASK_GONE_BY_OPERATOR', message: 'Task is gone' };
    case undefined:
      return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  }
}

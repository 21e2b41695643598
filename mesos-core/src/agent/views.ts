import {
  type ExecutorInfo,
  type FrameworkInfo,
  type Task,
  type TaskStatus,
  taskUser,
} from '../protocol/index.ts';
import type { AgentContext } from './context.ts';
import { agentIdOf } from './context.ts';
import { nestedSandbox } from './sandbox/sandboxes.ts';
import { type AgentState, type ExecutorRun, liveTasks, type TaskRecord } from './state.ts';
import { latestState } from './status-stream.ts';

/** The task as Mesos shows it. */
export function toTask(context: Pick<AgentContext, 'state'>, task: TaskRecord): Task {
  const { info, stream } = task;
  // The update that the framework was told last: the one on its way, else the newest.
  const told = stream.pending[0] ?? stream.history.at(-1);
  const user = taskUser(info);
  return {
    name: info.name,
    task_id: info.task_id,
    framework_id: { value: task.frameworkId },
    executor_id: info.executor === undefined ? undefined : { value: task.executorId },
    agent_id: { value: agentIdOf(context) },
    state: latestState(stream),
    resources: info.resources ?? [],
    statuses: stream.history,
    status_update_state: told?.state,
    status_update_uuid: told?.uuid,
    labels: info.labels,
    discovery: info.discovery,
    container: info.container,
    health_check: info.health_check,
    kill_policy: info.kill_policy,
    limits: info.limits,
    ...(user === undefined ? {} : { user }),
  };
}

/** Executor's update with what only the agent knows, as Mesos adds it. */
export function completeStatus(
  context: Pick<AgentContext, 'state' | 'address'>,
  run: ExecutorRun,
  status: TaskStatus,
): TaskStatus {
  const { network_infos: networks = [], ...container } = status.container_status ?? {};
  const ownNetwork = [
    { ip_addresses: [{ protocol: 'IPv4' as const, ip_address: context.address.ip }] },
  ];
  return {
    ...status,
    source: 'SOURCE_EXECUTOR',
    agent_id: { value: agentIdOf(context) },
    executor_id: { value: run.executorId },
    container_status: {
      container_id: { value: run.containerId },
      network_infos: networks.length > 0 ? networks : ownNetwork,
      executor_pid: run.identity?.pid,
      ...container,
    },
  };
}

/** What the agent tells a master when it subscribes. */
export interface Inventory {
  readonly frameworks: readonly FrameworkInfo[];
  readonly executors: readonly ExecutorInfo[];
  readonly tasks: readonly Task[];
}

/** All frameworks, all executors that live, and all tasks with something left to tell. */
export function inventory(context: Pick<AgentContext, 'state'>): Inventory {
  const frameworks = [...context.state.frameworks.values()];
  return {
    frameworks: frameworks.map((framework) => framework.info),
    // Not those that are over: they take nothing any more, although their tasks' ends may wait.
    // Nor those made up for a task: no master knows them.
    executors: allRuns(context.state)
      .filter((run) => run.kind !== 'command')
      .map((run) => run.info),
    tasks: frameworks.flatMap((framework) =>
      [...framework.tasks.values()].map((task) => toTask(context, task)),
    ),
  };
}

/** All runs that are not over. */
export function allRuns(state: AgentState): readonly ExecutorRun[] {
  return [...state.frameworks.values()].flatMap((framework) => [...framework.executors.values()]);
}

/** The folders of all containers that run. */
export function liveSandboxes(state: AgentState): readonly string[] {
  return [...state.frameworks.values()].flatMap((framework) =>
    [...framework.executors.values()].flatMap((run) => {
      if (run.kind !== 'default') return [run.directory];
      const nested = liveTasks(framework, run).flatMap(({ nested }) =>
        nested === undefined ? [] : [nestedSandbox(run, nested.containerId)],
      );
      return [run.directory, ...nested];
    }),
  );
}

import type { Resource } from '../protocol/index.ts';
import type { AgentContext } from './context.ts';
import { isTerminal } from './state.ts';
import { latestState } from './status-stream.ts';
import { allRuns } from './views.ts';

const SCALARS = ['cpus', 'mem', 'disk', 'gpus'] as const;
const LIVE_STATES = ['STAGING', 'STARTING', 'RUNNING', 'KILLING'] as const;
const ENDED_STATES = ['FINISHED', 'FAILED', 'KILLED', 'LOST', 'GONE', 'ERROR', 'DROPPED'] as const;

/** Counters and gauges of the agent by Mesos' names: the answer of `GET /metrics/snapshot`. */
export function metricsSnapshot(
  context: AgentContext,
  isRegistered: boolean,
): Readonly<Record<string, number>> {
  const { state, metrics } = context;
  const runs = allRuns(state);
  const count = (wanted: string): number => runs.filter((run) => run.state === wanted).length;
  return {
    'slave/registered': isRegistered ? 1 : 0,
    'slave/recovery_time_secs': metrics.recoveryTimeSecs,
    'slave/frameworks_active': state.frameworks.size,
    'slave/executors_registering': count('registering'),
    'slave/executors_running': count('running'),
    'slave/executors_terminating': count('terminating'),
    'slave/executors_terminated': metrics.executorsTerminated,
    'slave/container_launch_errors': metrics.containerLaunchErrors,
    'slave/valid_status_updates': metrics.validStatusUpdates,
    'slave/invalid_status_updates': metrics.invalidStatusUpdates,
    'slave/status_update_retries': metrics.statusUpdateRetries,
    'slave/valid_framework_messages': metrics.validFrameworkMessages,
    'slave/invalid_framework_messages': metrics.invalidFrameworkMessages,
    ...taskMetrics(context),
    ...resourceMetrics(context),
  };
}

function taskMetrics({ state, metrics }: AgentContext): Record<string, number> {
  const tasks = [...state.frameworks.values()].flatMap((each) => [...each.tasks.values()]);
  const states = tasks.map((task) => latestState(task.stream));
  const result: Record<string, number> = {};
  for (const name of LIVE_STATES) {
    const wanted = states.filter((each) => each === `TASK_${name}`);
    result[`slave/tasks_${name.toLowerCase()}`] = wanted.length;
  }
  for (const name of ENDED_STATES) {
    result[`slave/tasks_${name.toLowerCase()}`] = metrics.endedTasks.get(`TASK_${name}`) ?? 0;
  }
  return result;
}

function resourceMetrics(context: AgentContext): Record<string, number> {
  const { state } = context;
  const total = context.agentInfo().resources ?? [];
  const used = [...state.frameworks.values()].flatMap((framework) => [
    ...[...framework.executors.values()].flatMap((run) => run.info.resources ?? []),
    ...[...framework.tasks.values()]
      .filter((task) => !isTerminal(task))
      .flatMap((task) => task.info.resources ?? []),
  ]);
  const result: Record<string, number> = {};
  for (const name of SCALARS) {
    const totalValue = sum(total, name);
    const usedValue = sum(used, name);
    result[`slave/${name}_total`] = totalValue;
    result[`slave/${name}_used`] = usedValue;
    result[`slave/${name}_percent`] = totalValue === 0 ? 0 : usedValue / totalValue;
  }
  return result;
}

function sum(resources: readonly Resource[], name: string): number {
  const units = resources
    .filter((resource) => resource.name === name)
    .reduce((total, resource) => total + Math.round((resource.scalar?.value ?? 0) * 1000), 0);
  return units / 1000;
}

import { type Resources, scalarAmount } from '../protocol/index.ts';
import { systemMetrics } from '../system-metrics.ts';
import type { AgentContext } from './context.ts';
import { isTerminal } from './state.ts';
import { latestState } from './status-stream.ts';
import { allRuns } from './views.ts';

const SCALARS = ['cpus', 'mem', 'disk', 'gpus'] as const;
const LIVE_STATES = ['STAGING', 'STARTING', 'RUNNING', 'KILLING'] as const;
const ENDED_STATES = ['FINISHED', 'FAILED', 'KILLED', 'LOST', 'GONE', 'ERROR', 'DROPPED'] as const;

/** What the metrics need beside the agent's context. */
export interface MetricsFacts {
  readonly isRegistered: boolean;
  readonly startedAtMs: number;
  /** Reservations and volumes included. */
  readonly total: Resources;
}

/** Counters and gauges of the agent by Mesos' names: the answer of `GET /metrics/snapshot`. */
export function metricsSnapshot(
  context: AgentContext,
  { isRegistered, startedAtMs, total }: MetricsFacts,
): Readonly<Record<string, number>> {
  const { state, metrics, clock } = context;
  const runs = allRuns(state);
  const count = (wanted: string): number => runs.filter((run) => run.state === wanted).length;
  const figures: Record<string, number> = {
    'slave/registered': isRegistered ? 1 : 0,
    'slave/uptime_secs': (clock.nowMs() - startedAtMs) / 1000,
    'slave/recovery_time_secs': metrics.recoveryTimeSecs,
    // One that can't recover does not start.
    'slave/recovery_errors': 0,
    'slave/frameworks_active': state.frameworks.size,
    'slave/executors_registering': count('registering'),
    'slave/executors_running': count('running'),
    'slave/executors_terminating': count('terminating'),
    'slave/executors_terminated': metrics.executorsTerminated,
    // There is no oversubscription, for which Mesos does this.
    'slave/executors_preempted': 0,
    'slave/container_launch_errors': metrics.containerLaunchErrors,
    'slave/valid_status_updates': metrics.validStatusUpdates,
    'slave/invalid_status_updates': metrics.invalidStatusUpdates,
    'slave/status_update_retries': metrics.statusUpdateRetries,
    'slave/valid_framework_messages': metrics.validFrameworkMessages,
    'slave/invalid_framework_messages': metrics.invalidFrameworkMessages,
    ...taskMetrics(context),
    ...resourceMetrics(context, total),
    ...partMetrics(context),
    ...systemMetrics(),
  };
  const names = Object.keys(figures).toSorted((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(names.map((name) => [name, figures[name] ?? 0]));
}

/** Of the fetcher, of old sandboxes, and of what does not exist here. */
function partMetrics({ fetcher, sandboxes }: AgentContext): Record<string, number> {
  const fetched = fetcher.figures();
  const old = sandboxes.figures();
  return {
    'containerizer/fetcher/cache_size_total_bytes': fetched.cacheBytesMax,
    'containerizer/fetcher/cache_size_used_bytes': fetched.cacheBytesUsed,
    'containerizer/fetcher/task_fetches_failed': fetched.failed,
    'containerizer/fetcher/task_fetches_succeeded': fetched.succeeded,
    'containerizer/mesos/container_destroy_errors': 0,
    'containerizer/mesos/provisioner/bind/remove_rootfs_errors': 0,
    'containerizer/mesos/provisioner/remove_container_errors': 0,
    'gc/path_removals_failed': old.failed,
    'gc/path_removals_pending': old.pending,
    'gc/path_removals_succeeded': old.removed,
    'slave/executor_directory_max_allowed_age_secs': old.maxAgeMs / 1000,
    'resource_provider_manager/events/disconnect': 0,
    'resource_provider_manager/events/subscribe': 0,
    'resource_provider_manager/subscribed': 0,
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

function resourceMetrics({ state }: AgentContext, total: Resources): Record<string, number> {
  const used = [...state.frameworks.values()].flatMap((framework) => [
    ...[...framework.executors.values()].flatMap((run) => run.info.resources ?? []),
    ...[...framework.tasks.values()]
      .filter((task) => !isTerminal(task))
      .flatMap((task) => task.info.resources ?? []),
  ]);
  const result: Record<string, number> = {};
  for (const name of SCALARS) {
    for (const isRevocable of [false, true]) {
      const kind = isRevocable ? `${name}_revocable` : name;
      const totalValue = sum(total, name, isRevocable);
      const usedValue = sum(used, name, isRevocable);
      result[`slave/${kind}_total`] = totalValue;
      result[`slave/${kind}_used`] = usedValue;
      result[`slave/${kind}_percent`] = totalValue === 0 ? 0 : usedValue / totalValue;
    }
  }
  return result;
}

function sum(resources: Resources, name: string, isRevocable: boolean): number {
  return scalarAmount(
    resources.filter(({ revocable }) => (revocable !== undefined) === isRevocable),
    name,
  );
}

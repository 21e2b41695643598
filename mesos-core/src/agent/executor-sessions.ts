import type { ExecutorCallSubscribe, ExecutorEvent } from '../protocol/index.ts';
import { runChange } from './checkpoint/records.ts';
import type { AgentContext } from './context.ts';
import { type Executors, idsOf } from './executors.ts';
import {
  type ExecutorConnection,
  type ExecutorRun,
  type Framework,
  liveTasks,
  type QueuedLaunch,
  type TaskRecord,
  transition,
} from './state.ts';
import { latestState } from './status-stream.ts';
import { endTasks } from './task-ends.ts';

/** What the agent tells its executors: launches, kills, and all of it again when a stream broke. */
export class ExecutorSessions {
  readonly #context: AgentContext;
  readonly #executors: Executors;

  constructor(context: AgentContext, executors: Executors) {
    this.#context = context;
    this.#executors = executors;
  }

  /** The executor opened a stream: what it should know and does not know, it is told now. */
  open(
    framework: Framework,
    run: ExecutorRun,
    call: ExecutorCallSubscribe,
    connection: ExecutorConnection,
  ): void {
    if (!transition(run, 'subscribed')) {
      connection.close();
      return;
    }
    run.connection?.close();
    run.connection = connection;
    connection.send([this.#subscribedEvent(framework, run)]);
    if (run.state === 'terminating') {
      connection.send([{ type: 'SHUTDOWN' }]);
      return;
    }
    run.timer?.cancel();
    this.#context.logger.info(idsOf(run), 'executor subscribed');
    const isFirst = !run.hasSubscribed;
    if (isFirst) {
      run.hasSubscribed = true;
      this.#context.spawn(this.#context.commit([runChange(run)]));
    }
    const known = new Set([
      ...(call.unacknowledged_tasks ?? []).map((task) => task.task_id.value),
      ...(call.unacknowledged_updates ?? []).map(({ status }) => status.task_id.value),
    ]);
    run.queue.unshift(...unheardLaunches(framework, run, known));
    for (const task of liveTasks(framework, run)) {
      if (task.kill !== undefined) this.kill(run, task);
    }
    this.deliver(run);
    if (isFirst && liveTasks(framework, run).length === 0) {
      this.#context.logger.info(idsOf(run), 'nothing is left for this executor to run');
      this.#executors.shutdown(run);
    }
  }

  /** A stream is gone. If it was the executor's latest, it is expected to subscribe again. */
  closed(run: ExecutorRun, connection: ExecutorConnection): void {
    if (run.connection !== connection) return;
    run.connection = undefined;
    this.#context.logger.info(idsOf(run), 'executor disconnected');
  }

  /** Sends the launches that wait for the executor, as far as they are durable. */
  deliver(run: ExecutorRun): void {
    if (run.state !== 'running' || run.connection === undefined) return;
    const notDurable = run.queue.findIndex((launch) => !launch.isDurable);
    const launches = run.queue.splice(0, notDurable < 0 ? run.queue.length : notDurable);
    if (launches.length > 0) run.connection.send(launches.map(toLaunchEvent));
  }

  /** Ends a task at once when the executor never heard of it, else passes the wish on. */
  kill(run: ExecutorRun, task: TaskRecord): void {
    const queued = run.queue.find((launch) => launch.tasks.includes(task));
    if (queued === undefined) {
      const { task_id } = task.info;
      const kill = { task_id, kill_policy: task.kill?.policy };
      run.connection?.send([{ type: 'KILL', kill }]);
      return;
    }
    run.queue.splice(run.queue.indexOf(queued), 1);
    const what = queued.isGroup ? 'A task within the task group was killed' : 'Killed';
    const ends = endTasks(this.#context, queued.tasks, {
      state: 'TASK_KILLED',
      reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
      message: `${what} before delivery to the executor`,
    });
    this.#context.spawn(ends);
  }

  #subscribedEvent(framework: Framework, run: ExecutorRun): ExecutorEvent {
    return {
      type: 'SUBSCRIBED',
      subscribed: {
        executor_info: run.info,
        framework_info: framework.info,
        agent_info: this.#context.agentInfo(),
        container_id: { value: run.containerId },
      },
    };
  }
}

function toLaunchEvent(launch: QueuedLaunch): ExecutorEvent {
  const [first, ...others] = launch.tasks.map((task) => task.info);
  if (first !== undefined && !launch.isGroup) return { type: 'LAUNCH', launch: { task: first } };
  const tasks = first === undefined ? [] : [first, ...others];
  return { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks } } };
}

/**
 * Launches that the executor can't know of, although they are not in its queue: no update of the
 * task has come and the executor does not name it. They were on a stream that broke, or an earlier
 * agent died before it could send them.
 */
export function unheardLaunches(
  framework: Framework,
  run: ExecutorRun,
  known: ReadonlySet<string>,
): readonly QueuedLaunch[] {
  const queued = new Set(run.queue.flatMap((launch) => launch.tasks));
  const unheard = liveTasks(framework, run).filter(
    (task) =>
      latestState(task.stream) === 'TASK_STAGING' &&
      !queued.has(task) &&
      !known.has(task.info.task_id.value),
  );
  const launches = new Map<string, TaskRecord[]>();
  for (const task of unheard) {
    const key = JSON.stringify(task.group ?? task.info.task_id.value);
    launches.set(key, [...(launches.get(key) ?? []), task]);
  }
  return Array.from(launches.values(), (tasks) => ({
    tasks,
    isGroup: tasks.some((task) => task.group !== undefined),
    isDurable: true,
  }));
}
